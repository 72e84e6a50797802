"""Export: a folder that an outsider checks with Python and `cryptography`, and nothing of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

from configs.errors import InputError
from configs.files import write_atomically
from configs.settings import home
from tasks.audit import outside
from tasks.audit.signing import audit_key, key_text
from tasks.audit.tree import changing, own_notes, record_folder


def export(use_case: str, to: Path) -> str:
    """Write the record, its checkpoints, the public key and `verify.py`; returns the key, which is told in another way too.

    Raises:
        InputError: nothing was signed yet, or the folder holds something.
    """
    if not own_notes(use_case):
        raise InputError(f"nothing of {use_case!r} is signed in {home()}; 'slipway audit checkpoint {use_case}' does that")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"--to {to}: is there and not empty; name a new folder")
    to.mkdir(parents=True, exist_ok=True)
    with changing(use_case):
        for name in ("entries.jsonl", "hashes"):
            shutil.copyfile(record_folder(use_case) / name, to / name)
        shutil.copytree(record_folder(use_case) / "checkpoints", to / "checkpoints")
    key = key_text(audit_key(use_case))
    write_atomically(to / "key.txt", f"{key}\n".encode())
    shutil.copyfile(outside.__file__, to / "verify.py")
    return key
