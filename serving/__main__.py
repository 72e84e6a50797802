"""Serve one bundle: `python -m serving --bundle FOLDER --log FOLDER`. `--help` tells the rest."""

from __future__ import annotations

import argparse
import ipaddress
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.log.s3 import BUCKETS
from serving.log.segment import log_key
from serving.log.writer import sensitive_of
from serving.options import Options
from serving.platforms import LAMBDA, from_environment, log_place, platform, platform_port
from serving.scoring.bundle import BundleError, read_bundle
from serving.security.keys import KeysError, read_keys
from serving.security.signature import check_signature

BACKLOG = 1024  # connections that the kernel keeps until a worker takes them
CONNECTIONS = 16_384  # of one worker, most of them idle: work has limits of its own (`serving/scoring/admission.py`)


def main(argv: list[str] | None = None) -> int:
    """Check everything that can be checked before the port is opened, then serve until SIGTERM.

    Requests in flight are finished within the grace period. Bad input: one line, status 2.
    """
    try:
        options = options_of(argv)
    except (BundleError, KeysError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings

    _raise_file_limit()
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
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(options.grace_seconds)),
        websockets=False,
        log_access=False,
        http1_settings=HTTP1Settings(header_read_timeout=int(options.body_seconds * 1000), max_buffer_size=65536),
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
    ).serve()
    return 0


def _raise_file_limit() -> None:
    """Each connection is a file, and the soft limit of many systems is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def options_of(argv: list[str] | None, bucket: bool = False) -> Options:
    """The checked options of a command line; what it leaves out is in the environment.

    The log may lie in a `bucket` only where one thing is done at a time: nothing else goes on while it is written there.

    Raises:
        BundleError, KeysError, ValueError: saying what is wrong with them.
    """
    args = _parser().parse_args(argv)
    managed = platform(args.command, os.environ)
    args.host = args.host or ("0.0.0.0" if managed else "127.0.0.1")
    bundle = read_bundle(args.bundle)
    public_key = _public_key(args.public_key)
    if public_key:
        check_signature(bundle, public_key)
    keys = _keys(args, managed)
    _check_numbers(args)
    if args.log.startswith(BUCKETS) and not bucket:
        raise ValueError(f"--log {args.log}: a bucket is for functions, which answer one event at a time; name a folder")
    args.log = log_place(args.log, managed)
    key = log_key()  # refuses one that is none
    if bool(args.tls_certificate) != bool(args.tls_key):
        raise ValueError("give --tls-certificate and --tls-key together")
    for path in (args.tls_certificate, args.tls_key):
        if path and not Path(path).is_file():
            raise ValueError(f"{path}: no such file")
    sensitive_of(bundle.contract, args.sensitive, key)  # refuses hashes without a secret
    for name in ("AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE"):
        if not os.environ.get(name, "/").startswith("/"):
            raise ValueError(f"{name} {os.environ[name]!r}: must begin with /")
    return Options(
        bundle=str(args.bundle),
        log=args.log,
        digest=bundle.digest,
        public_key=public_key.decode(),
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
        request_rows=args.request_rows,
        body_bytes=args.body_mib * 1024 * 1024,
        body_seconds=args.body_seconds,
        grace_seconds=args.grace_seconds,
        cache=args.cache,
        sensitive=args.sensitive,
        log_failure=args.log_failure,
        segment_bytes=args.segment_mib * 1024 * 1024,
        segment_seconds=args.segment_seconds,
        access_log=args.access_log,
        traffic=str(args.traffic) if args.traffic else "",
        predict_route=os.environ.get("AIP_PREDICT_ROUTE", ""),
        health_route=os.environ.get("AIP_HEALTH_ROUTE", ""),
    )


def _check_numbers(args: argparse.Namespace) -> None:
    for name in (
        "workers",
        "queue_rows",
        "request_rows",
        "body_mib",
        "body_seconds",
        "grace_seconds",
        "segment_mib",
        "segment_seconds",
    ):
        if not 0 < getattr(args, name) < float("inf"):
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be above 0 and finite")
    for name in ("port", "grpc_port"):
        if not 0 <= getattr(args, name) <= 65535:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: must be 0 to 65535")


def _public_key(path: Path | None) -> bytes:
    """What stands in the key's file now; workers get this, so that another file in its place changes nothing."""
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: is not a public key in PEM ({error.strerror})") from None


def _keys(args: argparse.Namespace, managed: str) -> str:
    """The key file, or "" where everybody is let in: beyond the loopback interface only when that is asked for.

    A platform that asks who comes before it lets anybody through sends no keys of ours.
    """
    if args.auth == "off" or (args.auth == "auto" and _is_loopback(args.host) and not args.keys):
        return ""
    if args.auth == "auto" and managed == LAMBDA and not args.keys:
        raise ValueError("set SLIPWAY_AUTH: off where AWS asks who comes (a function URL with AWS_IAM), else on, with keys")
    if args.auth == "auto" and managed and not args.keys:
        print(f"warning: {managed} asks who comes, so this server does not; with --auth on it needs keys", file=sys.stderr)
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
        "SLIPWAY_INTERNAL_KEY is the key that servers of a traffic plan let each other in with; each may be in a file that "
        "the variable with _FILE names. Vertex AI's AIP_ variables are honoured.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=["serve"], help="SageMaker starts containers with it")

    def option(name: str, default: object, text: str, kind: Callable[[str], Any] = str, choices: Any = None) -> None:
        found = from_environment("SLIPWAY_" + name.upper().replace("-", "_"), kind, choices)
        parser.add_argument(f"--{name}", type=kind, default=default if found is None else found, help=text, choices=choices)

    places: tuple[tuple[str, Callable[[str], Any], str], ...] = (
        ("bundle", Path, "folder of the bundle"),
        ("log", str, "folder of the log, or s3://BUCKET/PREFIX, where each batch is an object"),
    )
    for name, kind, text in places:
        given = from_environment(f"SLIPWAY_{name.upper()}", kind)
        parser.add_argument(f"--{name}", type=kind, default=given, required=given is None, help=text)
    option("public-key", None, "PEM file; only a bundle that its owner signed is served", Path)
    option("host", None, "address to listen on; by default 127.0.0.1, and 0.0.0.0 on Vertex AI and SageMaker")
    option("port", platform_port(8080), "port of HTTP", int)
    option("grpc-port", 0, "port of gRPC; 0 for none", int)
    option("workers", 1, "worker processes; one a core", int)
    parser.add_argument("--version", default=env.get("SLIPWAY_MODEL_VERSION") or "0", help="registry version")
    option("release", None, "name of this release")
    option("variant", "champion", "part in the traffic plan")
    option("auth", "auto", "auto: keys are needed beyond the loopback interface", choices=["auto", "on", "off"])
    option("keys", None, "key file of 'slipway keys'", Path)
    option("tls-certificate", "", "PEM file; the server then speaks TLS itself")
    option("tls-key", "", "PEM file of the certificate's key")
    option("queue-rows", 512, "rows that may wait; more are refused with 429", int)
    option("request-rows", 100_000, "most rows, or outcomes, in one request; more are refused with 413", int)
    option("body-mib", 32, "largest body, in MiB", int)
    option("body-seconds", 10.0, "longest time for the headers, and again for the body", float)
    option("grace-seconds", 10.0, "time to finish what was accepted, at the end", float)
    option("cache", 0, "requests whose outputs are kept; 0 for none", int)
    option("sensitive", "hash", "what the log keeps of sensitive columns", choices=["keep", "hash", "omit"])
    option("log-failure", "refuse", "when the log cannot be written: 503, or answer", choices=["refuse", "answer"])
    option("segment-mib", 64, "largest log segment, in MiB", int)
    option("segment-seconds", 3600.0, "longest time a log segment is written to", float)
    option("traffic", None, "file of the traffic plan that this server carries out while it is there", Path)
    wanted = from_environment("SLIPWAY_ACCESS_LOG", str, ("0", "1", "false", "true")) in ("1", "true")
    parser.add_argument("--access-log", action="store_true", default=wanted, help="log every request")
    return parser


if __name__ == "__main__":
    sys.exit(main())
