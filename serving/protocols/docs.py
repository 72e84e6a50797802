"""The page at `/docs`: a form made from the OpenAPI document, a field a column. One file that needs nothing from elsewhere.

Its policy lets a browser run this very script and style, by their hashes, and talk to this server only: what a model's
columns are called, or a server answers, is never code (https://www.w3.org/TR/CSP3/).
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_FOLDER = Path(__file__).parent / "page"


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


_HTML, _STYLE, _SCRIPT = ((_FOLDER / f"docs.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
PAGE = _HTML.replace("/*STYLE*/", _STYLE).replace("/*SCRIPT*/", _SCRIPT).encode()
POLICY = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
]
