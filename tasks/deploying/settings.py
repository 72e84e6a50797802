"""What a release is run with, as the environment variables of `python -m serving`; the same on every platform."""

from __future__ import annotations

import hashlib

from configs.schema import UseCase
from configs.secrets import secret
from configs.tls import gateway_tls, running_tls
from tasks.deploying.keys import INTERNAL, internal_key
from tasks.deploying.values import Release
from tasks.log.encryption import begin, check_key
from tasks.log.keys import pepper

LOG = "predictions"  # not that of a rehearsal, which is gone after it


def settings(use_case: UseCase) -> dict[str, str]:
    """The settings of a use case; no secret among them."""
    return {
        "SLIPWAY_WORKERS": str(use_case.deploy.workers),
        "SLIPWAY_AUTH": "on" if needs_keys(use_case) else "off",
        "SLIPWAY_INTERNAL_CALLER": INTERNAL,
        "SLIPWAY_SENSITIVE": use_case.log.sensitive,
        "SLIPWAY_LOG_FAILURE": use_case.log.on_failure,
    }


def secrets(use_case: str) -> dict[str, str]:
    """The secrets of a server; handed to it in its environment, and in no argument, image or log.

    A server that is started again has what it had: a file that a secret came from is not named to it.

    Raises:
        InputError: the prediction log is encrypted, and its key is missing or is another one.
    """
    check_key(use_case)
    given = {"SLIPWAY_LOG_PEPPER": pepper(use_case)}
    if key := secret("SLIPWAY_LOG_KEY"):
        given["SLIPWAY_LOG_KEY"] = key
    return {**given, **{f"{name}_FILE": "" for name in given}}


def secrets_digest(use_case: str) -> str:
    """Tells one set of secrets from another without telling them."""
    return hashlib.sha256(repr(sorted(secrets(use_case).items())).encode()).hexdigest()


def handed_over(release: Release) -> dict[str, str]:
    """The secrets of a release whose servers are about to start; that its log is encrypted from now on is remembered.

    Slipway's own key is among them, by which servers of a traffic plan let each other in. It makes no other release: a new
    one must not rename what runs.
    """
    found = {**secrets(release.use_case), "SLIPWAY_INTERNAL_KEY": internal_key(release.use_case)}
    found["SLIPWAY_INTERNAL_KEY_FILE"] = ""
    if release.log == LOG:
        begin(release.use_case)
    return found


def needs_keys(use_case: UseCase) -> bool:
    """Whether clients need a key. `auto`: as soon as the gateway can be reached from beyond the loopback interface.

    Releases themselves are published on the loopback interface only; inside its container a server cannot know that, so it
    is told.
    """
    if use_case.deploy.authentication != "auto":
        return use_case.deploy.authentication == "on"
    # Also what this shell asks for: the gateway may be started after the release.
    return any(tls is not None and tls.is_public for tls in (running_tls(), gateway_tls()))
