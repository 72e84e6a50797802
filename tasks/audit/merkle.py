"""Proofs about a Merkle tree of RFC 6962, for who has all its leaf hashes; `outside.py` checks them.

Why they are written here and not taken from `pymerkle`: `docs/decisions/0041-the-record-is-collected.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.audit.outside import root_hash


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The path from a leaf to the root (RFC 6962, section 2.1.1), at most log2 of their number hashes of 32 bytes.

    Raises:
        IndexError: there is no such leaf.

    >>> inclusion_proof([b"a", b"b", b"c"], 2) == [root_hash([b"a", b"b"])]
    True
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} among {len(leaves)}")
    path: list[bytes] = []
    while len(leaves) > 1:
        half = _half(len(leaves))
        left, right = leaves[:half], leaves[half:]
        path.append(root_hash(right if index < half else left))
        leaves, index = (left, index) if index < half else (right, index - half)
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """That the tree of the first leaves is the beginning of the tree of all (RFC 6962, section 2.1.2).

    Raises:
        IndexError: there are fewer leaves.

    >>> consistency_proof([b"a", b"b", b"c"], 2) == [b"c"]
    True
    """
    if not 0 <= first <= len(leaves):
        raise IndexError(f"there are {len(leaves)} leaves, not {first}")
    if first in (0, len(leaves)):
        return []
    return _subproof(leaves, first, whole=True)


def _subproof(leaves: Sequence[bytes], first: int, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root_hash(leaves)]
    half = _half(len(leaves))
    if first <= half:
        return [*_subproof(leaves[:half], first, whole), root_hash(leaves[half:])]
    return [*_subproof(leaves[half:], first - half, False), root_hash(leaves[:half])]


def _half(size: int) -> int:
    """The largest power of two below the size."""
    return int(1 << (size - 1).bit_length() - 1)
