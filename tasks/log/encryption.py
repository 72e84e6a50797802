"""That a prediction log is encrypted is remembered: it depends on the use case, not on who deploys or reads next.

`use_cases/NAME/encrypted.json` is made when the first server is started with a key: since when, a digest of the key, and the
files that were in the clear until then. Those stay readable. Any other file in the clear was written by no server of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import prediction_log
from serving.log.segment import SegmentError, groups
from tasks.log.files import SEALED_SUFFIX, is_sealed, parts, read_part, segments
from tasks.log.keys import cipher, key
from tasks.store import Value


class Encryption(Value):
    """Since when a log is encrypted; `plain` is None while a server without the key may still be writing."""

    since: str
    key: str
    plain: tuple[str, ...] | None = None


def encryption(folder: Path) -> Encryption | None:
    """What is remembered of a log; None where it was never encrypted."""
    path = _path(folder)
    return Encryption.model_validate_json(path.read_bytes()) if path.exists() else None


def check_key(use_case: str) -> None:
    """Before a server is started, or the log is changed.

    Raises:
        InputError: the log is encrypted, and the key is missing or is another one.
    """
    folder, given = prediction_log(use_case), key()
    remembered, sealed = encryption(folder), _sealed(folder)
    if remembered is None and (not sealed or any(map(_opens, sealed))):
        return
    if remembered is None:
        what = "SLIPWAY_LOG_KEY does not open it" if given else "no key is given"
        raise InputError(f"the prediction log of {use_case!r} is encrypted, and {what}; give SLIPWAY_LOG_KEY as it was then")
    what = f"the prediction log of {use_case!r} is encrypted since {remembered.since}"
    if given is None:
        raise InputError(f"{what}, and no key is given; set SLIPWAY_LOG_KEY or SLIPWAY_LOG_KEY_FILE as it was then")
    if _digest(given) != remembered.key:
        raise InputError(f"{what} with another key than SLIPWAY_LOG_KEY; give that one, or nothing before could be read")


def begin(use_case: str) -> None:
    """A server with a key is about to write; where there is no key, nothing begins."""
    folder, given = prediction_log(use_case), key()
    if given is not None and encryption(folder) is None:
        _write(folder, Encryption(since=_now(), key=_digest(given)))


def settle(use_case: str) -> None:
    """No server without the key writes any more: what is in the clear now is all that may be."""
    folder = prediction_log(use_case)
    remembered = encryption(folder)
    if remembered is not None and remembered.plain is None:
        plain = tuple(_name(folder, path) for path in _plain(folder))
        _write(folder, remembered.model_copy(update={"plain": plain}))


def adopt(use_case: str) -> None:
    """Remember a log that was encrypted without being remembered: by a server started by hand, or in a home from before."""
    folder, given = prediction_log(use_case), key()
    if given is not None and encryption(folder) is None and any(map(_opens, _sealed(folder))):
        plain = tuple(_name(folder, path) for path in filter(may_be_plain(folder), _plain(folder)))
        _write(folder, Encryption(since=_now(), key=_digest(given), plain=plain))


def may_be_plain(folder: Path) -> Callable[[Path], bool]:
    """Which files of a log may be in the clear: those from before it was encrypted.

    Where that is not remembered (a server started by hand, a home from before): those older than the first sealed one.
    """
    remembered = encryption(folder)
    if remembered is None:
        first = min((path.name for path in _sealed(folder)), default=None)
        return lambda path: first is None or path.name < first
    if remembered.plain is None:
        return lambda _: True
    allowed = set(remembered.plain)
    return lambda path: _name(folder, path) in allowed


def check_part(part: Path, may: Callable[[Path], bool]) -> None:
    """Raise `SegmentError` for a Parquet part in the clear where there may be none."""
    if not is_sealed(part) and not may(part):
        raise SegmentError(f"{part.name}: is not what was written: it is not sealed, and the log is encrypted")


def _sealed(folder: Path) -> list[Path]:
    return [path for path in [*segments(folder), *parts(folder)] if is_sealed(path)]


def _plain(folder: Path) -> list[Path]:
    return [path for path in [*segments(folder), *parts(folder)] if not is_sealed(path)]


def _opens(path: Path) -> bool:
    """Whether the key that is given opens a sealed file."""
    try:
        return bool(read_part(path)) if path.suffix == SEALED_SUFFIX else next(groups(path, cipher()), None) is not None
    except SegmentError:
        return False


def _path(folder: Path) -> Path:
    return folder.with_name("encrypted.json" if folder.name == "predictions" else f"encrypted-{folder.name}.json")


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(found: bytes) -> str:
    return hashlib.sha256(b"slipway prediction log" + found).hexdigest()[:16]


def _write(folder: Path, remembered: Encryption) -> None:
    write_atomically(_path(folder), remembered.model_dump_json(indent=1).encode())
