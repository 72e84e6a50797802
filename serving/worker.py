"""What a worker process is made of; Granian calls `create`."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

from serving.log.segment import log_key
from serving.log.writer import PredictionLog, sensitive_of
from serving.options import Options, handed_over
from serving.scoring.bundle import BundleError, read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.security.keys import Guard
from serving.security.signature import check_signature
from serving.telemetry.json_log import configure
from serving.telemetry.tracing import tracing
from serving.transports.http import App

logger = logging.getLogger("slipway")


def create() -> App:
    """The application, from the options that `serving.__main__` handed over."""
    options = handed_over()
    configure(options.release)
    try:
        model = served_model(options)
    except BundleError as error:  # Granian ends the server when its workers end at once, and a supervisor says why
        logger.error("not served: %s", error)
        raise SystemExit(2) from None
    guard = Guard(Path(options.keys), options.workers) if options.keys else None
    app = App(model, options, guard, tracing(model.contract.use_case))
    gc.collect()
    gc.freeze()  # what is here now stays; collections need not look at it again and again
    return app


def served_model(options: Options) -> ServedModel:
    """The model, without any transport, from just the bundle that was checked when the server started.

    Raises:
        BundleError: what lies in its folder now is another one, or was changed.
    """
    bundle = read_bundle(Path(options.bundle))
    if options.public_key:
        check_signature(bundle, options.public_key.encode())
    if options.digest and bundle.digest != options.digest:
        raise BundleError(
            f"{bundle.folder}: is bundle {bundle.digest[:12]} now, and this server began with {options.digest[:12]}"
        )
    key = log_key()
    log = PredictionLog(Path(options.log), key, options.segment_bytes, options.segment_seconds)
    return ServedModel(
        bundle,
        Identity(options.version, options.release, options.variant),
        log,
        sensitive_of(bundle.contract, options.sensitive, key),
        answer_unlogged=options.log_failure == "answer",
        cache_size=options.cache,
        request_rows=options.request_rows,
    )
