"""Serve one bundle: `python -m serving --bundle FOLDER --log FOLDER [--host H] [--port P] [--workers N]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from serving.bundle import BundleError, read_bundle


def main(argv: list[str] | None = None) -> int:
    """Check the bundle, then serve it until SIGTERM; requests in flight are finished first."""
    args = _arguments().parse_args(argv)
    try:
        bundle = read_bundle(args.bundle)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    os.environ |= {
        "SLIPWAY_BUNDLE": str(args.bundle),
        "SLIPWAY_LOG": str(args.log),
        "SLIPWAY_MODEL_VERSION": args.version,
        "SLIPWAY_RELEASE": args.release or f"{bundle.contract.use_case}-{bundle.digest[:12]}",
    }
    Granian(
        "serving.app:create",
        factory=True,
        interface=Interfaces.RSGI,
        address=args.host,
        port=args.port,
        workers=args.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        websockets=False,
        log_access=False,
    ).serve()
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve one bundle over HTTP.")
    env = os.environ
    parser.add_argument("--bundle", type=Path, default=env.get("SLIPWAY_BUNDLE"), required="SLIPWAY_BUNDLE" not in env)
    parser.add_argument("--log", type=Path, default=env.get("SLIPWAY_LOG"), required="SLIPWAY_LOG" not in env)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=int(env.get("SLIPWAY_WORKERS", "1")))
    parser.add_argument("--version", default=env.get("SLIPWAY_MODEL_VERSION", "0"), help="registry version")
    parser.add_argument("--release", default=env.get("SLIPWAY_RELEASE"), help="name of this release")
    return parser


if __name__ == "__main__":
    sys.exit(main())
