"""Serve a stream: `python -m serving.stream --nats SERVER --stream NAME --consumer NAME`; the rest is as of `serving`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys

import msgspec
from prometheus_client import start_http_server

from serving.__main__ import options_of
from serving.load import served_model
from serving.scoring.bundle import BundleError
from serving.scoring.model import ServedModel
from serving.security.keys import KeysError
from serving.telemetry.json_log import configure
from serving.transports.dispatch import Dispatcher
from serving.transports.jetstream import Consumer, Stream, StreamError

NO_QUEUE = 2**31  # a batch is fetched when the one before is done, so nothing queues up here


def main(argv: list[str] | None = None) -> int:
    """Take messages until SIGTERM. Bad input: one line, status 2."""
    args = _parser().parse_args(argv)
    stream = Stream(**{name: getattr(args, name) for name in Stream.__struct_fields__})
    try:
        options = msgspec.structs.replace(options_of([]), queue_rows=NO_QUEUE)
        configure(options.release)
        model = served_model(options)
        gc.collect()
        gc.freeze()
        if args.metrics_port:
            _show_metrics(args.metrics_port, args.metrics_host, model)
        try:
            asyncio.run(_run(Consumer(Dispatcher(model, options, None), stream)))
        finally:
            model.close()
    except (BundleError, KeysError, StreamError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _show_metrics(port: int, host: str, model: ServedModel) -> None:
    try:
        start_http_server(port, host, model.metrics.registry)
    except OSError as error:
        raise ValueError(f"--metrics-port {port}: {error.strerror}") from None


async def _run(consumer: Consumer) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for asked in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(asked, stop.set)
    await consumer.run(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.stream",
        description="Answer the messages of a NATS JetStream stream with one bundle.",
        epilog="Bundle, log and secrets come by the environment, as of 'python -m serving': SLIPWAY_BUNDLE, ...",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    given = os.environ.get("SLIPWAY_NATS")  # it may hold a password, which has no place among arguments
    told = "nats://HOST:PORT or tls://..., several with commas; or SLIPWAY_NATS"
    parser.add_argument("--nats", dest="server", required=given is None, default=given, help=told)
    parser.add_argument("--stream", required=True, help="the stream's name; it must be there")
    parser.add_argument("--consumer", required=True, help="the durable consumer; servers with the same one share the work")
    parser.add_argument("--subject", default="", help="which subjects of the stream; all, where it is left out")
    parser.add_argument("--answers", default="", help="the subject that answers go to")
    parser.add_argument("--dead", default="", help="the subject of messages that cannot be taken, with the reason")
    parser.add_argument("--tries", type=int, default=5, help="how often a message is tried with which the server fails")
    parser.add_argument("--credentials", default="", help="a file of NATS credentials")
    parser.add_argument("--metrics-port", type=int, default=0, help="port of the metrics (Prometheus); 0 for none")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="the address that they listen on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
