"""Serve one bundle: `python -m serving --bundle FOLDER --log FOLDER`. `--help` tells the rest."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
import tempfile
from pathlib import Path

from serving.bundle import BundleError, read_bundle
from serving.keys import KeysError, read_keys
from serving.log import sensitive_of
from serving.options import Options
from serving.segment import log_key
from serving.signature import check_signature


def main(argv: list[str] | None = None) -> int:
    """Check everything that can be checked before the port is opened, then serve until SIGTERM.

    Requests in flight are finished within the grace period. Bad input: one line, status 2.
    """
    try:
        options = _options(_parser().parse_args(argv))
    except (BundleError, KeysError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings

    if options.workers > 1:  # their metrics are added up from files
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="slipway-metrics-")
    options.hand_over()
    tls = options.tls
    Granian(
        "serving.worker:create",
        factory=True,
        interface=Interfaces.RSGI,
        address=options.host,
        port=options.port,
        workers=options.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(options.grace_seconds)),
        websockets=False,
        log_access=False,
        http1_settings=HTTP1Settings(header_read_timeout=int(options.body_seconds * 1000), max_buffer_size=65536),
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
    ).serve()
    return 0


def _options(args: argparse.Namespace) -> Options:
    """The checked options.

    Raises:
        BundleError, KeysError, ValueError: saying what is wrong with them.
    """
    bundle = read_bundle(args.bundle)
    if args.public_key:
        check_signature(bundle, args.public_key)
    keys = _keys(args)
    _check_numbers(args)
    _check_log(args.log)
    key = log_key()  # refuses one that is none
    if bool(args.tls_certificate) != bool(args.tls_key):
        raise ValueError("give --tls-certificate and --tls-key together")
    for path in (args.tls_certificate, args.tls_key):
        if path and not Path(path).is_file():
            raise ValueError(f"{path}: no such file")
    sensitive_of(bundle.contract, args.sensitive, key)  # refuses hashes without a secret
    return Options(
        bundle=str(args.bundle),
        log=str(args.log),
        host=args.host,
        port=args.port,
        grpc_port=args.grpc_port,
        workers=args.workers,
        version=args.version,
        release=args.release or f"{bundle.contract.use_case}-{bundle.digest[:12]}",
        variant=args.variant,
        keys=keys,
        internal_caller=os.environ.get("SLIPWAY_INTERNAL_CALLER", ""),
        tls_certificate=args.tls_certificate,
        tls_key=args.tls_key,
        queue_rows=args.queue_rows,
        body_bytes=args.body_mib * 1024 * 1024,
        body_seconds=args.body_seconds,
        grace_seconds=args.grace_seconds,
        cache=args.cache,
        sensitive=args.sensitive,
        log_failure=args.log_failure,
        segment_bytes=args.segment_mib * 1024 * 1024,
        segment_seconds=args.segment_seconds,
        access_log=args.access_log,
        predict_route=os.environ.get("AIP_PREDICT_ROUTE", ""),
        health_route=os.environ.get("AIP_HEALTH_ROUTE", ""),
    )


def _check_numbers(args: argparse.Namespace) -> None:
    for name in ("workers", "queue_rows", "body_mib", "body_seconds", "grace_seconds", "segment_mib", "segment_seconds"):
        if not getattr(args, name) > 0:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be above 0")
    for name in ("port", "grpc_port"):
        if not 0 <= getattr(args, name) <= 65535:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be 0 to 65535")


def _check_log(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"--log {folder}: cannot be written ({error.strerror})") from None


def _keys(args: argparse.Namespace) -> str:
    """The key file, or "" where everybody is let in: beyond the loopback interface only when that is asked for."""
    if args.auth == "off" or (args.auth == "auto" and _is_loopback(args.host) and not args.keys):
        return ""
    if not args.keys:
        raise ValueError(
            f"authentication is on (host {args.host}), but --keys names no key file; "
            "make a key with 'slipway keys create', or let everybody in with --auth off"
        )
    read_keys(args.keys)
    return str(args.keys)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parser() -> argparse.ArgumentParser:
    env = os.environ
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve one bundle over HTTP (native, Open Inference v2, MLflow scoring) and, if asked, gRPC.",
        epilog="Most options can be set by the environment: SLIPWAY_ and the option's name, such as SLIPWAY_WORKERS. "
        "SLIPWAY_LOG_KEY (base64 of 32 bytes) encrypts the prediction log, SLIPWAY_LOG_PEPPER is the key of its hashes; "
        "either may be in a file that the variable with _FILE names. Vertex AI's AIP_ variables are honoured.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=["serve"], help="ignored; SageMaker starts containers with it")

    def option(name: str, default: object, text: str, kind: type = str, **more: object) -> None:
        variable = "SLIPWAY_" + name.upper().replace("-", "_")
        parser.add_argument(f"--{name}", type=kind, default=env.get(variable) or default, help=text, **more)  # type: ignore[arg-type]

    parser.add_argument("--bundle", type=Path, default=env.get("SLIPWAY_BUNDLE"), required="SLIPWAY_BUNDLE" not in env)
    parser.add_argument("--log", type=Path, default=env.get("SLIPWAY_LOG"), required="SLIPWAY_LOG" not in env)
    on_vertex = "AIP_HTTP_PORT" in env
    option("public-key", None, "PEM file; only a bundle that its owner signed is served", Path)
    option("host", "0.0.0.0" if on_vertex else "127.0.0.1", "address to listen on")
    option("port", int(env.get("AIP_HTTP_PORT", "8080")), "port of HTTP", int)
    option("grpc-port", 0, "port of gRPC; 0 for none", int)
    option("workers", 1, "worker processes; one a core", int)
    parser.add_argument("--version", default=env.get("SLIPWAY_MODEL_VERSION", "0"), help="registry version")
    option("release", None, "name of this release")
    option("variant", "champion", "part in the traffic plan")
    option("auth", "auto", "auto: keys are needed beyond the loopback interface", choices=["auto", "on", "off"])
    option("keys", None, "key file of 'slipway keys'", Path)
    option("tls-certificate", "", "PEM file; the server then speaks TLS itself")
    option("tls-key", "", "PEM file of the certificate's key")
    option("queue-rows", 512, "rows that may wait; more are refused with 429", int)
    option("body-mib", 32, "largest body, in MiB", int)
    option("body-seconds", 10.0, "longest time for the headers, and again for the body", float)
    option("grace-seconds", 10.0, "time to finish what was accepted, at the end", float)
    option("cache", 0, "requests whose probabilities are kept; 0 for none", int)
    option("sensitive", "hash", "what the log keeps of sensitive columns", choices=["keep", "hash", "omit"])
    option("log-failure", "refuse", "when the log cannot be written: 503, or answer", choices=["refuse", "answer"])
    option("segment-mib", 64, "largest log segment, in MiB", int)
    option("segment-seconds", 3600.0, "longest time a log segment is written to", float)
    parser.add_argument("--access-log", action="store_true", default="SLIPWAY_ACCESS_LOG" in env, help="log every request")
    return parser


if __name__ == "__main__":
    sys.exit(main())
