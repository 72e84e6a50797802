"""Releases as containers of the Docker Engine: limits on each, a network of their own, published on the loopback interface.

A container's labels hold the whole release, so that what the engine runs is never a matter of our own records.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from configs.errors import InputError
from configs.settings import home, made, use_case_home
from tasks.containers.engine import engine
from tasks.deploying.keys import keys_folder
from tasks.deploying.platforms.ports import free_port
from tasks.deploying.settings import handed_over
from tasks.deploying.values import Release, Replica
from tasks.packaging.signing_keys import public_key
from tasks.routing.splitting import plan_path, splits_folder

IMAGE_USER = 10001
STOP_SECONDS = 15
PORT = "8080/tcp"
PORT_TRIES = 5


def observe(use_case: str) -> list[Release]:
    """What the engine runs for this home; nothing where no engine answers, because then nothing of it runs."""
    client, _ = engine()
    if client is None:
        return []
    found: dict[str, Release] = {}
    for container in _containers(client, use_case):
        release = found.get(name := container.labels["slipway.release"])
        release = release or Release.model_validate_json(container.labels["slipway.description"])
        found[name] = release.model_copy(update={"replicas": (*release.replicas, _replica(container))})
    return [found[name] for name in sorted(found)]


def bring_up(release: Release) -> Release:
    """Start the replicas that are missing or dead, and remove those beyond `wanted`."""
    client = _client()
    there = {container.name: container for container in _containers(client, release.use_case, release.name)}
    wanted = [f"{_prefix()}-{release.name}-{number}" for number in range(release.wanted)]
    for name, container in list(there.items()):
        if name not in wanted:
            _end(container)
        if name not in wanted or not _replica(container).alive:
            container.remove(force=True)
            del there[name]
    replicas = [_replica(there.get(name) or _run(client, name, release)) for name in wanted]
    return release.model_copy(update={"replicas": tuple(replicas)})


def take_down(release: Release) -> None:
    """Stop gracefully and remove, and the network with the home's last container."""
    client = _client()
    for container in _containers(client, release.use_case, release.name):
        _end(container)
        container.remove(force=True)
    for network in client.networks.list(names=[_prefix()], greedy=True):
        if not network.containers:
            network.remove()


def reach(release: Release, other: Release) -> tuple[str, ...]:
    """By names in a network of the use case, in which only those releases are that a traffic plan brought together."""
    if other.platform != release.platform:
        raise InputError(
            f"release {release.name} runs in containers and {other.name} on platform {other.platform!r}, whose servers a "
            "container cannot reach; deploy both on docker"
        )
    client, found = _client(), []
    network = _shared_network(client, release.use_case, make=True)
    for each in (release, other):
        for container in _containers(client, each.use_case, each.name):
            _join(network, container)
            if each.name == other.name and _replica(container).alive:
                found.append(f"http://{_alias(container)}:{PORT.partition('/')[0]}")
    return tuple(found)


def memory(release: Release) -> int:
    """What the engine counts, without the page cache that the kernel could take back."""
    client, total = _client(), 0
    for container in _containers(client, release.use_case, release.name):
        found = client.api.stats(container.id, stream=False, one_shot=True)["memory_stats"]
        total += found.get("usage", 0) - found.get("stats", {}).get("inactive_file", 0)
    return total


def last_words(release: Release) -> str:
    """The end of its containers' output."""
    containers = _containers(_client(), release.use_case, release.name)
    return "\n".join(each.logs(tail=40).decode(errors="replace") for each in containers) or "the containers are gone"


def _run(client: Any, name: str, release: Release) -> Any:
    """One replica: read-only, without capabilities, as a user that is never root; log, keys and public key are mounted."""
    from docker.errors import APIError
    from docker.types import DeviceRequest

    log = made(use_case_home(release.use_case) / release.log)
    user = os.getuid() or IMAGE_USER
    if user != os.getuid():
        os.chown(log, user, user)
    limits = release.resources
    options: dict[str, Any] = {
        "name": name,
        "user": f"{user}:{os.getgid() or IMAGE_USER}",
        "volumes": {
            str(log): {"bind": "/log", "mode": "rw"},
            str(keys_folder(release.use_case)): {"bind": "/keys", "mode": "ro"},
            str(public_key().parent): {"bind": "/signing", "mode": "ro"},
            str(splits_folder(release.use_case)): {"bind": "/traffic", "mode": "ro"},
        },
        "environment": {
            "SLIPWAY_MODEL_VERSION": release.version,
            "SLIPWAY_RELEASE": release.name,
            "SLIPWAY_KEYS": "/keys/keys.json",
            "SLIPWAY_PUBLIC_KEY": "/signing/public.pem",
            "SLIPWAY_TRAFFIC": f"/traffic/{plan_path(release).name}",
            **release.settings,
            **handed_over(release),
        },
        "labels": {
            "slipway.home": str(home()),
            "slipway.use_case": release.use_case,
            "slipway.release": release.name,
            "slipway.description": release.model_copy(update={"replicas": ()}).model_dump_json(),
        },
        "network": _network(client),
        "read_only": True,
        "tmpfs": {"/tmp": "size=16m"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "restart_policy": {"Name": "unless-stopped"},
        "nano_cpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,  # no swap beside it: what is over the limit ends, instead of crawling
        "device_requests": [DeviceRequest(count=limits.gpus, capabilities=[["gpu"]])] if limits.gpus else None,
    }
    for tried in range(PORT_TRIES):
        # A port of our choice, because the engine would choose another one at each restart of the container.
        container = client.containers.create(release.image, ports={PORT: ("127.0.0.1", free_port())}, **options)
        try:
            container.start()
            if (shared := _shared_network(client, release.use_case)) is not None:  # it may stand in for one that died
                _join(shared, container)
            container.reload()
            return container
        except APIError as error:
            container.remove(force=True)
            if "could not select device driver" in str(error):
                raise InputError(f"deploy.resources.gpus is {limits.gpus}, but this Docker Engine knows no GPU") from None
            if "port is already allocated" not in str(error) or tried == PORT_TRIES - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _network(client: Any) -> str:
    """A bridge of this home, whose containers cannot reach each other."""
    from docker.errors import NotFound

    try:
        client.networks.get(_prefix())
    except NotFound:
        options = {"com.docker.network.bridge.enable_icc": "false"}
        client.networks.create(_prefix(), options=options, labels={"slipway.home": str(home())}, check_duplicate=True)
    return _prefix()


def _shared_network(client: Any, use_case: str, make: bool = False) -> Any:
    """The network in which releases of a use case reach each other, and nothing else; None where there is none."""
    name = f"{_prefix()}-{use_case}"
    found = [network for network in client.networks.list(names=[name]) if network.name == name]
    if found or not make:
        return found[0] if found else None
    return client.networks.create(name, internal=True, labels={"slipway.home": str(home())}, check_duplicate=True)


def _join(network: Any, container: Any) -> None:
    container.reload()
    if network.name not in container.attrs["NetworkSettings"]["Networks"]:
        network.connect(container, aliases=[_alias(container)])


def _alias(container: Any) -> str:
    """A container's name may be longer than a name in DNS can be."""
    return f"r{hashlib.sha256(container.name.encode()).hexdigest()[:12]}"


def _replica(container: Any) -> Replica:
    port = container.attrs["HostConfig"]["PortBindings"][PORT][0]["HostPort"]
    return Replica(
        address=f"http://127.0.0.1:{port}",
        handle=container.id,
        alive=container.status in ("running", "restarting"),
        restarts=container.attrs["RestartCount"],
    )


def _containers(client: Any, use_case: str, release: str = "") -> list[Any]:
    labels = ["slipway.description", f"slipway.home={home()}", f"slipway.use_case={use_case}"]
    labels += [f"slipway.release={release}"] * bool(release)
    return sorted(client.containers.list(all=True, filters={"label": labels}), key=lambda container: container.name)


def _end(container: Any) -> None:
    container.stop(timeout=STOP_SECONDS)


def _prefix() -> str:
    """Unique to the home, so that two homes on one engine do not meet."""
    return f"slipway-{hashlib.sha256(str(home()).encode()).hexdigest()[:6]}"


def _client() -> Any:
    client, why = engine()
    if client is None:
        raise InputError(f"a release runs on Docker, but no Docker Engine answers ({why}); start it and run this again")
    return client
