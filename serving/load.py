"""Loading: the model that the options name, with its log, for whatever transport."""

from __future__ import annotations

from pathlib import Path

from serving.log.objects import ObjectLog
from serving.log.s3 import BUCKETS, Bucket
from serving.log.segment import log_key
from serving.log.writer import Log, PredictionLog, sensitive_of
from serving.options import Options
from serving.scoring.bundle import BundleError, read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.security.signature import check_signature


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
    log = _log(options, key)
    return ServedModel(
        bundle,
        Identity(options.version, options.release, options.variant),
        log,
        sensitive_of(bundle.contract, options.sensitive, key),
        answer_unlogged=options.log_failure == "answer",
        cache_size=options.cache,
        request_rows=options.request_rows,
    )


def _log(options: Options, key: bytes | None) -> Log:
    if options.log.startswith(BUCKETS):
        return ObjectLog(Bucket(options.log), key)
    return PredictionLog(Path(options.log), key, options.segment_bytes, options.segment_seconds)
