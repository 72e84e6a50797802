"""The form of a prediction log segment: JSON lines in groups, each group closed by a line with its checksum.

```
{"kind":"prediction","prediction_id":...}
{"kind":"feedback",...}
{"kind":"commit","records":2,"crc32":"9a3b..."}
```

A group is what one `write` appended: the answers of one batch. Its commit line holds the CRC-32 of the group's bytes, so a
group that a crash tore is told from one that was finished. With a key, a group is one line instead, sealed with AES-GCM
(NIST SP 800-38D), which authenticates it too:

```
{"kind":"sealed","records":2,"data":"base64 of nonce and ciphertext"}
```
"""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from serving.secret import given

COMMIT = b'{"kind":"commit",'
SEALED = b'{"kind":"sealed",'
NONCE_BYTES = 12
KEY_BYTES = 32


class SegmentError(ValueError):
    """A segment whose content is not what was written; the message names the file and the place."""


class _Close(msgspec.Struct):
    kind: str
    records: int
    crc32: str = ""
    data: str = ""


_close = msgspec.json.Decoder(_Close)


class Cipher:
    """Seals and opens groups. A group belongs to its segment: moved to another one it does not open."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aead = AESGCM(key)

    def seal(self, group: bytes, segment: str) -> bytes:
        """The group encrypted, as base64."""
        return base64.b64encode(self.seal_bytes(group, segment))

    def open(self, data: str, segment: str) -> bytes:
        """The group in the clear.

        Raises:
            SegmentError: the key is another one, or the data was changed.
        """
        try:
            return self.open_bytes(base64.b64decode(data, validate=True), segment)
        except binascii.Error:
            raise SegmentError(f"{segment}: a sealed group is not base64; it was changed") from None

    def seal_bytes(self, data: bytes, name: str) -> bytes:
        """Nonce, ciphertext and tag; `name` is authenticated with it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, name.encode())

    def open_bytes(self, data: bytes, name: str) -> bytes:
        """What `seal_bytes` was given; raises as `open` does."""
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


def close_group(lines: bytes, records: int, segment: str, cipher: Cipher | None) -> bytes:
    """The bytes to append for a group of JSON lines."""
    if cipher is not None:
        return SEALED + b'"records":%d,"data":"%s"}\n' % (records, cipher.seal(lines, segment))
    return lines + COMMIT + b'"records":%d,"crc32":"%08x"}\n' % (records, zlib.crc32(lines))


def groups(path: Path, cipher: Cipher | None = None) -> Iterator[tuple[int, bytes]]:
    """The finished groups of a segment: where each ends in the file, and its JSON lines.

    Ends before a torn tail: an unfinished last group. What stands between the last end and the end of the file was never
    answered.

    Raises:
        SegmentError: a finished group's checksum is wrong, a line in the middle is none of ours, or a key is needed.
    """
    end, lines = 0, bytearray()
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            if line.startswith(COMMIT):
                close = _parsed(line, path, end)
                if close.crc32 != f"{zlib.crc32(lines):08x}" or lines.count(b"\n") != close.records:
                    raise SegmentError(f"{path.name}: the group at byte {end} is not what was written: wrong checksum")
                end += len(lines) + len(line)
                yield end, bytes(lines)
                lines.clear()
            elif line.startswith(SEALED):
                if cipher is None:
                    raise SegmentError(f"{path.name} is encrypted; set SLIPWAY_LOG_KEY")
                if lines:
                    raise SegmentError(f"{path.name}: the group at byte {end} is not what was written: it is not sealed")
                opened = cipher.open(_parsed(line, path, end).data, path.name)
                end += len(line)
                yield end, opened
            else:
                lines += line


def _parsed(line: bytes, path: Path, end: int) -> _Close:
    try:
        return _close.decode(line)
    except msgspec.DecodeError as error:
        raise SegmentError(f"{path.name}: the line that closes the group at byte {end} cannot be read ({error})") from None
