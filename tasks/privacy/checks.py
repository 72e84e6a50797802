"""Check digits of numbers that belong to persons. Each function takes one without blanks and marks, and says if it holds."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


def luhn(number: str) -> bool:
    """Payment cards (ISO/IEC 7812-1).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(digit) * 2 if at % 2 else int(digit) for at, digit in enumerate(reversed(number))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def card(number: str) -> bool:
    """A payment card: of a network that gives them to persons, 13 to 19 digits.

    >>> card("4111111111111111"), card("9111111111111111")
    (True, False)
    """
    return 13 <= len(number) <= 19 and number[0] in "23456" and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """A bank account (ISO 13616): modulo 97.

    >>> iban("DE89370400440532013000"), iban("DE89370400440532013001")
    (True, False)
    """
    moved = text[4:] + text[:4]
    return 15 <= len(text) <= 34 and int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def _weighted(number: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))


def steuer_id(number: str) -> bool:
    """Germany's tax number of a person, 11 digits: ISO 7064, modulo 11, 10; one digit twice or thrice among the first ten.

    >>> steuer_id("86095742719"), steuer_id("86095742718")
    (True, False)
    """
    repeated = sorted(number[:10].count(digit) for digit in set(number[:10]))[-1]
    if number[0] == "0" or repeated not in (2, 3):
        return False
    product = 10
    for digit in number[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10])


def nir(number: str) -> bool:
    """France's number of a person, 15 digits: a key modulo 97.

    >>> nir("255081416802538"), nir("255081416802539")
    (True, False)
    """
    return number[0] in "12" and int(number[13:]) == 97 - int(number[:13]) % 97


def dni(text: str) -> bool:
    """Spain's DNI, and the NIE of foreigners: a letter modulo 23.

    >>> dni("12345678Z"), dni("X1234567L"), dni("12345678A")
    (True, True, False)
    """
    digits = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == text[-1]


def bsn(number: str) -> bool:
    """The Netherlands' number of a person, 9 digits: the sum of eleven.

    >>> bsn("111222333"), bsn("111222334")
    (True, False)
    """
    return len(set(number)) > 1 and (_weighted(number[:8], range(9, 1, -1)) - int(number[8])) % 11 == 0


def pesel(number: str) -> bool:
    """Poland's number of a person, 11 digits.

    >>> pesel("44051401359"), pesel("44051401358")
    (True, False)
    """
    month = int(number[2:4]) % 20
    return 1 <= month <= 12 and _weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def nhs(number: str) -> bool:
    """England's number of a patient, 10 digits: modulo 11.

    >>> nhs("9434765919"), nhs("9434765918")
    (True, False)
    """
    digit = 11 - _weighted(number[:9], range(10, 1, -1)) % 11
    return len(set(number)) > 1 and digit != 10 and digit % 11 == int(number[9])


def cpf(number: str) -> bool:
    """Brazil's tax number of a person, 11 digits, two of them check digits.

    >>> cpf("52998224725"), cpf("52998224724")
    (True, False)
    """

    def digit(first: str) -> int:
        rest = _weighted(first, range(len(first) + 1, 1, -1)) * 10 % 11
        return rest % 10

    return len(set(number)) > 1 and digit(number[:9]) == int(number[9]) and digit(number[:10]) == int(number[10])


def ssn(number: str) -> bool:
    """A number that the United States may have given to a person; it has no check digit.

    >>> ssn("536904399"), ssn("000904399")
    (True, False)
    """
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def ip(text: str) -> bool:
    """An address of the internet, not one that every network has.

    >>> ip("8.8.8.8"), ip("192.168.0.1"), ip("1.2.3.400"), ip("2001:4860:4860::8888")
    (True, False, False, True)
    """
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
