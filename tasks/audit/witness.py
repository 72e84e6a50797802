"""The witness: a folder elsewhere, by path or fsspec URL, that gets every checkpoint and forgets none.

Whoever holds the home and its keys can write the record anew, and sign it; not what a witness has seen before. Best is a
place where this home may add and not replace: an object store with a lock, a folder whose files go to another account.
"""

from __future__ import annotations

import os
from typing import Any

from configs.errors import CheckFailed, InputError
from tasks.audit.outside import Key
from tasks.audit.tree import record_folder

SETTING = "SLIPWAY_AUDIT_WITNESS"


def is_witnessed() -> bool:
    """Whether a witness is set."""
    return bool(os.environ.get(SETTING))


def tell_witness(use_case: str, key: Key) -> int:
    """Bring it every checkpoint that it has not; returns how many. What it has is never written again.

    Raises:
        CheckFailed: it cannot be reached or written to; the next checkpoint brings it what it has missed.
    """
    files, folder = _place(key)
    mine = sorted((record_folder(use_case) / "checkpoints").glob("*.txt"))
    try:
        files.makedirs(folder, exist_ok=True)
        has = {path.rpartition("/")[2] for path in files.ls(folder, detail=False)}
        missing = [path for path in mine if path.name not in has]
        for path in missing:
            files.pipe_file(f"{folder}/{path.name}", path.read_bytes())
    except Exception as error:  # each file system has exceptions of its own
        raise CheckFailed(f"the checkpoints are kept, and the witness {_setting()} did not take them: {error}") from None
    return len(missing)


def witnessed_notes(key: Key) -> list[str]:
    """Every checkpoint that the witness has of a use case, oldest first; none where no witness is set.

    Raises:
        CheckFailed: it cannot be read.
    """
    if not is_witnessed():
        return []
    files, folder = _place(key)
    try:
        if not files.exists(folder):
            return []
        names = sorted(path for path in files.ls(folder, detail=False) if path.endswith(".txt"))
        return [files.cat_file(path).decode() for path in names]
    except Exception as error:  # each file system has exceptions of its own
        raise CheckFailed(f"the witness {_setting()} cannot be read: {error}") from None


def _place(key: Key) -> tuple[Any, str]:
    """The file system and the folder of a use case's checkpoints."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(_setting())
    except (ValueError, ImportError) as error:
        raise InputError(f"{SETTING}={_setting()}: {error}") from None
    return files, f"{path.rstrip('/')}/{key.name}"


def _setting() -> str:
    return os.environ[SETTING]
