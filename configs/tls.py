"""TLS at the gateway: a second address, for clients beyond this machine, where a certificate is given."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import NamedTuple

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home, made

DEFAULT_ADDRESS = "127.0.0.1:8443"


class GatewayTls(NamedTuple):
    """`HOST:PORT` to listen on, and the PEM files to show there."""

    address: str
    certificate: Path
    key: Path

    @property
    def is_public(self) -> bool:
        """Whether clients beyond this machine reach it, so that they need keys."""
        host = self.address.rpartition(":")[0].strip("[]")
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:  # "" is every interface; a name may mean anything
            return host != "localhost"


def running_tls() -> GatewayTls | None:
    """What the gateway of this home was started with, whatever the environment of this process says."""
    path = _record()
    if not path.exists():
        return None
    address, certificate, key = json.loads(path.read_text())
    return GatewayTls(address, Path(certificate), Path(key))


def remember_tls(tls: GatewayTls | None) -> None:
    """Keep what the gateway is started with, for every later command."""
    if tls is None:
        _record().unlink(missing_ok=True)
    else:
        write_atomically(_record(), json.dumps([tls.address, str(tls.certificate), str(tls.key)]).encode())


def _record() -> Path:
    return made(home() / "gateway") / "tls.json"


def gateway_tls() -> GatewayTls | None:
    """What `SLIPWAY_GATEWAY_TLS_CERTIFICATE`, `..._KEY` and `..._ADDRESS` ask for, or None.

    Raises:
        InputError: one of certificate and key is missing, is no file, or the address has no port.
    """
    given = {name: os.environ.get(f"SLIPWAY_GATEWAY_TLS_{name}", "") for name in ("CERTIFICATE", "KEY")}
    if not any(given.values()):
        return None
    for name, path in given.items():
        if not Path(path).is_file():
            found = f"{path!r} is no file" if path else "is missing"
            raise InputError(f"SLIPWAY_GATEWAY_TLS_{name} {found}; certificate and key are both needed, as PEM files")
    address = os.environ.get("SLIPWAY_GATEWAY_TLS_ADDRESS", DEFAULT_ADDRESS)
    if not address.rpartition(":")[2].isdigit():
        raise InputError(f"SLIPWAY_GATEWAY_TLS_ADDRESS={address}: write HOST:PORT, for example 0.0.0.0:8443")
    return GatewayTls(address, Path(given["CERTIFICATE"]).resolve(), Path(given["KEY"]).resolve())
