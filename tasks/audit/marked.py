"""A Jinja template filled with what is known; what a person must still write is marked in it, and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from configs.errors import InputError


class Marks:
    """What a template calls as `write(WHAT)` where it needs a person; `left` is all that it asked for, in its order."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def __call__(self, what: str) -> Markup:
        """A mark, with what it asks for."""
        self.left.append(what)
        return Markup("<mark>[to be written: ") + escape(what) + Markup("]</mark>")


def filled(key: str, template: Path, **known: Any) -> str:
    """The template with its names filled in; every value is escaped that is no markup already.

    Raises:
        InputError: there is no such template, or something in it is wrong, with the line; `key` names it in the use case.
    """
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

    try:
        text = template.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{key}: {template}: cannot be read: {error}") from None
    environment = SandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    try:
        return environment.from_string(text).render(**known)
    except TemplateSyntaxError as error:
        raise InputError(f"{key}: {template}:{error.lineno}: {error.message}") from None
    except (TemplateError, TypeError, ValueError) as error:
        raise InputError(f"{key}: {template}: {error}") from None
