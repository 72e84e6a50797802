"""One spelling of a JSON value, so that equal values have equal hashes (RFC 8785, JSON Canonicalization Scheme).

A whole number beyond 2^53 is written as a string, since a reader that knows only doubles would change it; so is what JSON
does not know, NaN and infinities.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

EXACT = 2**53


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value, UTF-8 without spaces.

    Raises:
        TypeError: it is no JSON value.

    >>> canonical({"b": 1.0, "a": [1e21, 1e-7, 9007199254740993, None, "é"]}).decode()
    '{"a":[1e+21,1e-7,"9007199254740993",null,"é"],"b":1}'
    """
    return _text(value).encode(errors="backslashreplace")  # half a surrogate pair, which JSON's escapes allow


def _text(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) <= EXACT else f'"{value}"'
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(name)}:{_text(each)}" for name, each in members) + "}"
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _number(value: float) -> str:
    """As ECMAScript writes it: the shortest digits that give the double again."""
    if not math.isfinite(value):
        return f'"{value}"'
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if 0 < point <= 21:
        written = text.ljust(point, "0")[:point] + (f".{text[point:]}" if len(text) > point else "")
    elif -6 < point <= 0:
        written = f"0.{'0' * -point}{text}"
    else:
        written = f"{text[0]}{f'.{text[1:]}' if len(text) > 1 else ''}e{point - 1:+d}"
    return f"-{written}" if sign else written
