"""What a worker process is made of; Granian calls `create`."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

from serving.load import served_model
from serving.options import handed_over
from serving.scoring.bundle import BundleError
from serving.security.keys import Guard
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
