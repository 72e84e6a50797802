"""Images on a real engine, their content, and registries: Debian's with password and TLS, and moto's ECR."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from prefect.logging import disable_run_logger

from configs.errors import InputError
from configs.load import load_use_case
from configs.schema import Registry
from tasks.containers.engine import engine
from tasks.containers.images import recipe_digest, wanted_image
from tasks.containers.inventory import LISTING, sbom
from tasks.containers.publish import PushFailed, credentials, publish
from tasks.containers.values import Image
from tasks.deploying.platforms.ports import free_port
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tests.integration.server import make_certificate
from tests.lambda_runtime import Api
from tests.unit.lambda_events import http_api

BASE = "python:3.11-slim"
PASSWORD = "open sesame"
HTPASSWD = "slipway:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"  # of that password, as `htpasswd -B`


@pytest.fixture
def docker():
    client, why = engine()
    if client is None:
        pytest.skip(f"no Docker Engine answers ({why})")
    return client


class DockerRegistry:
    """Debian's `docker-registry` on a free port, with TLS and one account."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        certificate, key = make_certificate(folder)
        (folder / "htpasswd").write_text(HTPASSWD)
        (folder / "config.yml").write_text(f"""
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/store}}, delete: {{enabled: true}}}}
auth: {{htpasswd: {{realm: slipway, path: {folder}/htpasswd}}}}
http:
  addr: 127.0.0.1:{self.port}
  tls: {{certificate: {certificate}, key: {key}}}
""")
        self.start()

    def start(self):
        with open(self.folder / "registry.log", "ab") as log:
            command = ["docker-registry", "serve", str(self.folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"https://127.0.0.1:{self.port}/v2/", verify=False).status_code == 401:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError((self.folder / "registry.log").read_text())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def registry(tmp_path, docker, monkeypatch):
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed (Debian package docker-registry)")
    monkeypatch.setenv("SLIPWAY_REGISTRY_USERNAME", "slipway")
    monkeypatch.setenv("SLIPWAY_REGISTRY_PASSWORD", PASSWORD)
    found = DockerRegistry(tmp_path)
    yield found
    found.kill()
    for image in docker.images.list(f"127.0.0.1:{found.port}/slipway"):
        for tag in image.tags:
            if tag.startswith(f"127.0.0.1:{found.port}/"):
                docker.images.remove(tag)


def push(registry, image, **login):
    case = load_use_case("loans")
    where = Registry(repository=f"127.0.0.1:{registry.port}/slipway", **{"login": "secret", **login})
    case = case.model_copy(update={"deploy": case.deploy.model_copy(update={"registry": where})})
    with disable_run_logger():
        return publish.fn(case, Image(platform="docker", reference=image.tags[0], digest=image.id))


def small_image(docker, folder):
    """A file of 1 MiB of noise on nothing."""
    (folder / "context").mkdir()
    (folder / "context" / "noise").write_bytes(os.urandom(2**20))
    (folder / "context" / "Dockerfile").write_text("FROM scratch\nCOPY noise /noise\n")
    return docker.images.build(path=str(folder / "context"), tag=f"slipway/test:{os.getpid()}-{time.time_ns()}", rm=True)[0]


def test_pushed_pulled_back_and_pushed_twice(registry, docker, tmp_path):
    image = small_image(docker, tmp_path)
    try:
        pushed = push(registry, image).pushed
        assert push(registry, image).pushed == pushed
        account = {"username": "slipway", "password": PASSWORD}
        docker.images.remove(image.id, force=True)
        back = docker.images.pull(pushed, auth_config=account)
        assert back.id == image.id
        assert pushed in back.attrs["RepoDigests"]
    finally:
        docker.images.remove(image.id, force=True)


def test_a_registry_that_says_no(registry, docker, tmp_path, monkeypatch):
    image = small_image(docker, tmp_path)
    try:
        monkeypatch.setenv("SLIPWAY_REGISTRY_PASSWORD", "wrong")
        with pytest.raises(InputError, match="refuses the push"):
            push(registry, image)
        monkeypatch.delenv("SLIPWAY_REGISTRY_PASSWORD")
        with pytest.raises(InputError, match="nobody gave SLIPWAY_REGISTRY_PASSWORD"):
            push(registry, image)
        monkeypatch.setattr("tasks.containers.publish.FIRST_DELAY", 0.05)
        monkeypatch.setenv("SLIPWAY_REGISTRY_PASSWORD", PASSWORD)
        registry.kill()
        with pytest.raises(PushFailed, match="could not be pushed in 5 tries"):
            push(registry, image)
    finally:
        docker.images.remove(image.id, force=True)


def test_a_push_that_breaks_off_is_taken_up_again(registry, docker):
    """The registry is killed while 145 MB come in, and is back two seconds later."""
    image, blobs = docker.images.get(BASE), registry.folder / "store"

    def interrupt():
        while not (blobs.exists() and any(path.stat().st_size > 2**20 for path in blobs.rglob("data"))):
            time.sleep(0.02)
        registry.kill()
        time.sleep(2)
        registry.start()

    thread = threading.Thread(target=interrupt)
    thread.start()
    pushed = push(registry, image).pushed
    thread.join()
    account = {"username": "slipway", "password": PASSWORD}
    assert pushed.endswith(docker.images.get_registry_data(pushed, auth_config=account).id)


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """moto's server of the AWS API."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/moto-api/")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    process.kill()
    process.wait()


def test_ecr_gives_a_token_and_makes_the_repository(aws, monkeypatch):
    import boto3

    where = Registry(repository="123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/loans", login="ecr")
    first = credentials(where)
    assert first["username"] == "AWS"
    assert first["password"]
    assert credentials(where) == first
    names = [each["repositoryName"] for each in boto3.client("ecr", "eu-west-1").describe_repositories()["repositories"]]
    assert names == ["team/loans"]
    with pytest.raises(InputError, match="is no ECR host"):
        credentials(Registry(repository="registry.example.com/loans", login="ecr"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(InputError, match="AWS gave no token"):
        credentials(where)


def test_the_image_is_small_equal_on_every_build_and_holds_what_its_sbom_says(served, docker):
    """A second build without any cache has the same layers; that and the first one's size are of the released image."""
    from tasks.containers.containerize import _build
    from tasks.registry.versions import champion

    version = champion("loans")
    image = docker.images.get(wanted_image(load_use_case("loans"), version).reference)
    base = docker.images.get(BASE)
    assert image.attrs["Size"] - base.attrs["Size"] < 150e6
    assert image.attrs["RootFS"]["Layers"][: len(base.attrs["RootFS"]["Layers"])] == base.attrs["RootFS"]["Layers"]
    again = f"slipway/again:{os.getpid()}"
    with disable_run_logger(), pytest.MonkeyPatch.context() as patch:
        build = docker.api.build
        patch.setattr(docker.api, "build", lambda **options: build(nocache=True, **options))
        _build(docker, version, again)
    try:
        assert docker.images.get(again).attrs["RootFS"]["Layers"] == image.attrs["RootFS"]["Layers"]
    finally:
        docker.images.remove(again, force=True)
    (path,) = (served.folder / "reports" / "loans" / "sbom").glob(f"{image.tags[0].rpartition(':')[2]}.cdx.json")
    components = {each["name"]: each for each in json.loads(path.read_text())["components"]}
    assert {"onnxruntime", "granian", "numpy", "libc6", "python", "loans/model.onnx"} <= set(components)
    assert components["libc6"]["purl"].startswith("pkg:deb/debian/libc6@")
    assert "prefect" not in components
    assert recipe_digest()[:8] in image.tags[0]


def test_the_very_image_is_a_function(served, docker, objects):
    """On Lambda another program starts in it, and the file system cannot be written."""
    from tasks.registry.versions import champion

    objects.create_bucket(Bucket="logs")
    image = wanted_image(load_use_case("loans"), champion("loans")).reference
    given = {name: os.environ[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    given |= {"AWS_REGION": "us-east-1", "SLIPWAY_LOG": "s3://logs/loans", "SLIPWAY_LOG_PEPPER": "the tests' own"}
    given["SLIPWAY_AUTH"] = "off"
    with Api() as runtime:
        container = docker.containers.run(
            image,
            ["serving.function.handler"],
            entrypoint=["python", "-m", "awslambdaric"],
            environment={**runtime.known, **given},
            network_mode="host",
            read_only=True,
            detach=True,
        )
        try:
            answer = runtime.ask(http_api("POST", "/predict", json.dumps({"records": [served.record]})))[1]
            assert answer["statusCode"] == 200, answer
        except queue.Empty:
            pytest.fail(container.logs().decode())
        finally:
            container.remove(force=True)
    assert len(objects.list_objects_v2(Bucket="logs")["Contents"]) == 1


def test_an_sbom_is_valid_and_says_nothing_of_the_moment(bundle_folder, home, monkeypatch):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    monkeypatch.setattr(BundleRef, "path", property(lambda _: bundle_folder))
    version = Version(use_case="small", version="1", run_id="", bundle=BundleRef(digest="d" * 64), golden="")
    listing = json.loads(subprocess.run([sys.executable, "-c", LISTING], capture_output=True, check=True).stdout)
    image = Image(platform="docker", reference="slipway/small:1")
    text = sbom(version, image, listing)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    time.sleep(1.1)
    assert sbom(version, image, listing) == text
