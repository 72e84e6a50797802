"""The form of a prediction log segment: JSON lines in groups, each group closed by a line with its checksum.

```
{"kind":"prediction","prediction_id":...}
{"kind":"feedback",...}
{"kind":"commit","records":2,"crc32":"9a3b..."}
```

A group is what one `write` appended: the answers of one batch. Its commit line holds the CRC-32 of the group's bytes, so a
group that a crash tore is told from one that was finished. With a key, a group is one line instead, sealed with AES-GCM
(NIST SP 800-38D), which authenticates it too, with the segment's name, the byte where it begins, and its number of records:

```
{"kind":"sealed","at":0,"records":2,"data":"base64 of nonce and ciphertext"}
```

Segments from before hold sealed groups without `at`, bound to the segment only; the same group twice is noticed.

What a crash tore is the beginning of a group at the end of the file: whole records, and the beginning of a line. Everything
else that is no finished group was changed, and is damage: it is told and left alone, since it may have been answered.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import msgspec

from serving.security.secret import given

Kind = Literal["prediction", "shadow", "feedback", "refused", "review"]
RECORDS = tuple(b'{"kind":"%s",' % kind.encode() for kind in get_args(Kind))
COMMIT = b'{"kind":"commit",'
SEALED = b'{"kind":"sealed",'
DATA = b',"data":"'
TORN_DATA = rb"[0-9]+(?:%s|%s[A-Za-z0-9+/]*={0,2}(?:\"\}?)?)" % (b"|".join(DATA[:n] for n in range(len(DATA))), DATA)
NONCE_BYTES = 12
KEY_BYTES = 32


class SegmentError(ValueError):
    """A segment whose content is not what was written; the message names the file and the place."""


class _Sealed(msgspec.Struct):
    kind: Literal["sealed"]
    records: int
    data: str
    at: int | None = None


class _Record(msgspec.Struct):
    kind: Kind


_sealed = msgspec.json.Decoder(_Sealed)
_record = msgspec.json.Decoder(_Record)


class Cipher:
    """Seals and opens. What is sealed belongs to a name: under another one it does not open."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aead = AESGCM(key)

    def seal_bytes(self, data: bytes, name: str) -> bytes:
        """Nonce, ciphertext and tag; `name` is authenticated with it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, name.encode())

    def open_bytes(self, data: bytes, name: str) -> bytes:
        """What `seal_bytes` was given.

        Raises:
            SegmentError: the key is another one, the name is, or the data was changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._aead.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            raise SegmentError(f"{name}: does not open: the key is another one, or the file was changed") from None


def log_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The secret `SLIPWAY_LOG_KEY` (base64 of 32 bytes), or None where none is given.

    Raises:
        ValueError: it is not base64 of 32 bytes, or its file cannot be read.

    >>> log_key({}) is None
    True
    """
    text = given("SLIPWAY_LOG_KEY", environment)
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"SLIPWAY_LOG_KEY must be base64 of {KEY_BYTES} bytes; 'openssl rand -base64 32' makes one")
    return key


def close_group(lines: bytes, records: int, segment: str, cipher: Cipher | None, at: int = 0) -> bytes:
    """The bytes to append for a group of JSON lines that begins at byte `at` of the segment."""
    if cipher is None:
        return lines + _commit_line(lines)
    return _sealed_line(at, records, base64.b64encode(cipher.seal_bytes(lines, _place(segment, at, records))))


def groups(path: Path, cipher: Cipher | None = None, plain: bool = True) -> Iterator[tuple[int, bytes]]:
    """The finished groups of a segment: where each ends in the file, and its JSON lines.

    Ends before a torn tail, the beginning of a last group: what stands behind the last end was never answered.

    Args:
        path: The segment's file.
        cipher: What opens sealed groups.
        plain: Whether a segment may be in the clear; one of a log that is encrypted may not.

    Raises:
        SegmentError: something is not what was written, a key is needed, or a group that may not be is in the clear.
    """
    with path.open("rb") as file:
        sealed = file.read(len(SEALED)) == SEALED
        file.seek(0)
        yield from _sealed_groups(file, path.name, cipher) if sealed else _plain_groups(file, path.name, plain)


def _plain_groups(file: BinaryIO, name: str, plain: bool) -> Iterator[tuple[int, bytes]]:
    end, lines, torn = 0, bytearray(), b""
    for line in file:
        if not line.endswith(b"\n"):
            torn = line
        elif not line.startswith((COMMIT, SEALED)):
            lines += line
        elif line != _commit_line(lines):
            raise _changed(name, end, "wrong checksum")
        elif not plain:
            raise _changed(name, end, "it is not sealed, and the log is encrypted")
        else:
            end += len(lines) + len(line)
            yield end, bytes(lines)
            lines.clear()
    if not (all(map(is_record, bytes(lines).splitlines())) and _begins_a_line(torn, lines)):
        raise _changed(name, end, "neither finished nor torn by a crash")


def _sealed_groups(file: BinaryIO, name: str, cipher: Cipher | None) -> Iterator[tuple[int, bytes]]:
    if cipher is None:
        raise SegmentError(f"{name} is encrypted; set SLIPWAY_LOG_KEY")
    end, placed, seen = 0, None, set()
    for line in file:
        if not line.endswith(b"\n"):
            if not _begins_a_seal(line, end):
                raise _changed(name, end, "neither finished nor torn by a crash")
            return
        try:
            close = _sealed.decode(line)
            data = base64.b64decode(close.data, validate=True)
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
            raise _changed(name, end, "it is not sealed") from None
        placed = close.at is not None if placed is None else placed
        nonce = data[:NONCE_BYTES]
        wrong = close.at != (end if placed else None) or nonce in seen
        if wrong or line != _sealed_line(close.at, close.records, base64.b64encode(data)):
            raise _changed(name, end, "it was moved, repeated or changed")
        opened = cipher.open_bytes(data, name if close.at is None else _place(name, close.at, close.records))
        if opened.count(b"\n") != close.records:
            raise _changed(name, end, "another number of records")
        seen.add(nonce)
        end += len(line)
        yield end, opened


def _changed(name: str, at: int, why: str) -> SegmentError:
    return SegmentError(f"{name}: the group at byte {at} is not what was written: {why}")


def _commit_line(lines: bytes | bytearray) -> bytes:
    return COMMIT + b'"records":%d,"crc32":"%08x"}\n' % (lines.count(b"\n"), zlib.crc32(lines))


def _sealed_line(at: int | None, records: int, data: bytes) -> bytes:
    place = b"" if at is None else b'"at":%d,' % at
    return SEALED + place + b'"records":%d' % records + DATA + data + b'"}\n'


def _place(segment: str, at: int, records: int) -> str:
    """What is authenticated with a group."""
    return f"{segment}\n{at}\n{records}"


def is_record(line: bytes) -> bool:
    """Whether a line is a record of a kind that servers write."""
    try:
        _record.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _begins_a_line(torn: bytes, lines: bytearray) -> bool:
    """Whether these bytes can be the beginning of a record, or of the line that closes the group, or of a sealed one."""
    if (bool(lines) and _commit_line(lines).startswith(torn)) or SEALED.startswith(torn):
        return True
    record = any(start.startswith(torn) or torn.startswith(start) for start in RECORDS)
    return record and min(torn) >= ord(" ")  # JSON spells control characters; zeros are a disk that lost what was written


def _begins_a_seal(torn: bytes, end: int) -> bool:
    for start in (SEALED + b'"at":%d,"records":' % end, SEALED + b'"records":'):
        if start.startswith(torn) or (torn.startswith(start) and re.fullmatch(TORN_DATA, torn[len(start) :])):
            return True
    return False
