"""What a value may be that says who a person is: a shape, and, where the thing has one, its check digit.

Why these and not presidio's: docs/decisions/0044-recognisers-of-our-own.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tasks.privacy.checks import bsn, card, cpf, dni, iban, ip, nhs, nir, pesel, ssn, steuer_id


class Recogniser(NamedTuple):
    """Something personal. `shape` finds it in a text; `holds` says of what was found, its `marks` taken out, if it is that.

    `alone`: so many numbers have the shape that only a column full of them is believed (`scan.py`).
    """

    what: str
    shape: re.Pattern[str]
    holds: Callable[[str], bool] = lambda _: True
    marks: str = " -./"
    alone: bool = False

    def found(self, text: str) -> list[str]:
        """What has the shape and holds, as it stands in the text."""
        return [each for each in self.shaped(text) if self.holds(self.plain(each))]

    def shaped(self, text: str) -> list[str]:
        """What has the shape."""
        return [match[0] for match in self.shape.finditer(text)]

    def plain(self, text: str) -> str:
        """Without marks between."""
        return text.translate({ord(mark): None for mark in self.marks})


def _digits(count: int) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-])\d{{{count}}}(?![\w-]|\.\d)")


RECOGNISERS = (
    Recogniser("e-mail address", re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}"), marks=""),
    Recogniser("telephone number", re.compile(r"(?<![\w+])\+[1-9](?:[ ()./-]{0,2}\d){7,14}(?!\d)")),
    Recogniser("bank account (IBAN)", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), iban),
    Recogniser("payment card", re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)"), card),
    Recogniser(
        "IP address",
        re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:])"),
        ip,
        "",
    ),
    Recogniser("social security number (US)", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), ssn),
    Recogniser("DNI or NIE (Spain)", re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-Z]\b"), dni),
    Recogniser("number of a person (France)", re.compile(r"(?<![\w.-])[12](?: ?\d){14}(?![\w-]|\.\d)"), nir),
    Recogniser("tax number of a person (Germany)", _digits(11), steuer_id, alone=True),
    Recogniser("PESEL (Poland)", _digits(11), pesel, alone=True),
    Recogniser("CPF (Brazil)", re.compile(r"(?<![\w.-])\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?![\w-]|\.\d)"), cpf, alone=True),
    Recogniser("NHS number (England)", re.compile(r"(?<![\w.-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-]|\.\d)"), nhs, alone=True),
    Recogniser("BSN (Netherlands)", _digits(9), bsn, alone=True),
)


def masked(text: str) -> str:
    """An example that nobody is known by: letters and digits but the first and the last are hidden.

    >>> masked("ann.lee@example.org"), masked("+44 20 7946 0958")
    ('a**.***@*******.**g', '+4* ** **** ***8')
    """
    places = [at for at, each in enumerate(text) if each.isalnum()]
    shown = {places[0], places[-1]} if len(places) > 2 else set()
    return "".join("*" if each.isalnum() and at not in shown else each for at, each in enumerate(text))
