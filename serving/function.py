"""What AWS Lambda calls: `serving.function.handler`. All is loaded at import, while a function has the most power.

The environment is that of `python -m serving`; `SLIPWAY_LOG=s3://BUCKET/PREFIX` keeps the prediction log.
"""

from __future__ import annotations

import gc
from pathlib import Path

import msgspec

from serving.__main__ import options_of
from serving.load import served_model
from serving.security.keys import Guard
from serving.telemetry.json_log import configure
from serving.transports.aws_lambda import Function

NO_QUEUE = 2**31  # Lambda itself admits one event at a time, and a batch is one event


def create() -> Function:
    """The function, from the environment.

    Raises:
        BundleError, KeysError, ValueError: saying what is wrong with it.
    """
    options = msgspec.structs.replace(options_of([], bucket=True), queue_rows=NO_QUEUE)
    configure(options.release)
    model = served_model(options)
    model.log.close()  # a segment's name is made with the first record
    return Function(model, options, Guard(Path(options.keys)) if options.keys else None)


handler = create()
gc.collect()
gc.freeze()
