"""The rows of the prediction log, part by part: a Merkle tree over each part's, whose root is an entry.

So one record can be shown to be in the record without showing another one. A row's leaf is its JSON text, all columns by
name. The hashes of a part's leaves are kept beside the record while the part is there: once rows are erased, or dropped, so
are their hashes, and what stays of them is a root above hashes that nobody can make again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.settings import made
from serving.log.segment import SegmentError
from tasks.audit.outside import root_hash
from tasks.audit.tree import HASH_BYTES, record_folder
from tasks.log.files import connect, read_part
from tasks.log.find import part_rows, row_text


def row_entry(use_case: str, part: Path, name: str, sha256: str) -> dict[str, Any]:
    """What the record says of a part's rows: how many, and their root; keeps their hashes.

    Raises:
        CheckFailed: the part does not open.
    """
    try:
        leaves = row_hashes(part)
    except SegmentError as error:
        raise CheckFailed(f"the rows of {name} cannot be entered: {error}") from None
    write_atomically(_path(use_case, sha256), b"".join(leaves))
    return {"part": name, "sha256": sha256, "rows": len(leaves), "root": root_hash(leaves).hex()}


def kept_hashes(use_case: str, sha256: str) -> list[bytes] | None:
    """The leaf hashes of the part with that digest, in the order of its rows; None where it is not there any more."""
    path = _path(use_case, sha256)
    if not path.exists():
        return None
    data = path.read_bytes()
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def forget_hashes(use_case: str, but: set[str]) -> None:
    """Drop the hashes of all parts but those with these digests."""
    for path in _folder(use_case).iterdir():
        if path.name not in but:
            path.unlink()


def row_hashes(part: Path) -> list[bytes]:
    """The leaf hash of every row, in the order of the part."""
    connection, memory = connect()
    with connection:
        memory.pipe("/part", read_part(part))
        rows = part_rows("memory:///part")
        leaf = f"unhex(sha256('\\x00'::blob || encode({row_text(connection, rows)})))"
        return [leaf for (leaf,) in connection.sql(f"select {leaf} from {rows} order by file_row_number").fetchall()]


def _path(use_case: str, sha256: str) -> Path:
    return _folder(use_case) / sha256


def _folder(use_case: str) -> Path:
    return made(record_folder(use_case) / "rows")
