"""Publish: the image in a registry, under its tag, and known from then on by its digest."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from typing import Any

from prefect import get_run_logger, task

from configs.errors import CheckFailed, InputError
from configs.schema import Registry, UseCase
from configs.secrets import secret
from tasks.containers.engine import engine
from tasks.containers.values import Image

TRIES = 5
FIRST_DELAY = 1.0
TOLD_SECONDS = 2.0
REFUSED = re.compile(r"unauthorized|denied|authentication required|no basic auth|name unknown|does not exist", re.IGNORECASE)


class PushFailed(CheckFailed):
    """The registry did not take the image; the message holds what it said last."""


@task
def publish(use_case: UseCase, image: Image) -> Image:
    """Push the image where the use case names a registry. Layers that are there already are not sent again.

    Raises:
        InputError: the registry refuses these credentials or this repository.
        PushFailed: it could not be reached, several times, or holds something else afterwards.
    """
    registry = use_case.deploy.registry
    if registry is None or image.platform == "local":
        return image
    client, _ = engine()
    account, tag = credentials(registry), image.reference.rpartition(":")[2]
    client.images.get(image.reference).tag(registry.repository, tag)
    pushed = f"{registry.repository}@{_push_until_done(client, registry.repository, tag, account)}"
    held = client.images.get_registry_data(f"{registry.repository}:{tag}", auth_config=account).id
    if not pushed.endswith(held):
        raise PushFailed(f"{registry.repository}:{tag} is {held} in the registry, but {pushed} was pushed")
    get_run_logger().info("Published as %s", pushed)
    return image.model_copy(update={"pushed": pushed})


def _push_until_done(client: Any, repository: str, tag: str, account: dict[str, str] | None) -> str:
    """The digest in the registry. A push that breaks off is taken up again: finished layers are kept there."""
    from docker.errors import APIError

    problem = ""
    for tried in range(TRIES):
        if tried:
            get_run_logger().warning("The push broke off (%s); going on with it, try %s of %s", problem, tried + 1, TRIES)
            time.sleep(FIRST_DELAY * 2 ** (tried - 1))
        try:
            return _push(client.api.push(repository, tag=tag, stream=True, decode=True, auth_config=account))
        except (APIError, PushFailed) as error:
            problem = str(error)
        if REFUSED.search(problem):
            raise InputError(f"deploy.registry: {repository} refuses the push: {problem}; see 'login'") from None
    raise PushFailed(f"{repository}:{tag} could not be pushed in {TRIES} tries: {problem}")


def _push(events: Iterator[dict[str, Any]]) -> str:
    """Follow one push to its digest, telling every two seconds how far it is."""
    logger, told, sizes, done, digest = get_run_logger(), time.monotonic(), {}, {}, ""
    for event in events:
        if "error" in event:
            raise PushFailed(event["error"].strip())
        digest = event.get("aux", {}).get("Digest", digest)
        detail = event.get("progressDetail") or {}
        if detail.get("total"):
            sizes[event["id"]], done[event["id"]] = detail["total"], detail.get("current", 0)
        if time.monotonic() - told > TOLD_SECONDS and sizes:
            told = time.monotonic()
            logger.info("  pushed %.0f of %.0f MB", sum(done.values()) / 1e6, sum(sizes.values()) / 1e6)
    if not digest:
        raise PushFailed("the registry told no digest")
    return digest


def credentials(registry: Registry) -> dict[str, str] | None:
    """The account to push with; None leaves it to what `docker login` left on this machine.

    Raises:
        InputError: a secret is missing, or AWS gave no token.
    """
    if registry.login == "docker":
        return None
    if registry.login == "ecr":
        return _ecr(registry.repository)
    names = ("SLIPWAY_REGISTRY_USERNAME", "SLIPWAY_REGISTRY_PASSWORD")
    found = [secret(name) for name in names]
    for name, value in zip(names, found, strict=True):
        if not value:
            raise InputError(
                f"deploy.registry.login is 'secret', but nobody gave {name}; set it, or {name}_FILE, or the block"
            )
    return {"username": str(found[0]), "password": str(found[1])}


def _ecr(repository: str) -> dict[str, str]:
    """A token of Amazon ECR for its host, whose repository is made where it is missing."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    host, _, name = repository.partition("/")
    region = re.fullmatch(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?", host)
    if not region:
        raise InputError(f"deploy.registry: {host} is no ECR host; it looks like 123456789012.dkr.ecr.REGION.amazonaws.com")
    try:
        ecr = boto3.client("ecr", region_name=region[1])
        try:
            ecr.describe_repositories(repositoryNames=[name])
        except ecr.exceptions.RepositoryNotFoundException:
            ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"deploy.registry: AWS gave no token for {host}: {error}") from None
    username, _, password = base64.b64decode(token).decode().partition(":")
    return {"username": username, "password": password}
