"""A secret of a server: from the file that `NAME_FILE` names, or from the variable `NAME`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def given(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The secret, or None where nobody gave one.

    Raises:
        ValueError: the file cannot be read, or is empty: what should be secret must not silently be nothing.
    """
    path = environment.get(f"{name}_FILE")
    if not path:
        return environment.get(name) or None
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ValueError(f"{name}_FILE={path}: cannot be read ({why})") from None
    if not text:
        raise ValueError(f"{name}_FILE={path}: is empty; write the secret into it, or unset {name}_FILE")
    return text
