"""What a column's name says of a person, where no pattern can: names, addresses, dates of birth, numbers for people."""

from __future__ import annotations

from itertools import pairwise

from tasks.privacy.values import Grade
from tasks.privacy.words import sensitive, words

DIRECT = {
    "name of a person": "name firstname lastname surname forename fullname vorname nachname prenom nombre apellido cognome",
    "address": "address addr street streetname strasse rue calle postcode postalcode zip zipcode plz",
    "telephone number": "phone telephone telefon mobile cellphone fax",
    "e-mail address": "email mail",
    "number of a person": "ssn passport nino iban cpf pesel bsn",
    "date of birth": "birth birthday birthdate dob geburtsdatum",
}
SAYS = {word: what for what, listed in DIRECT.items() for word in listed.split()}
PEOPLE = {"customer", "client", "patient", "user", "member", "employee", "person", "passenger", "subscriber", "applicant"}
NUMBERS = {"id", "no", "nr", "number", "num", "key", "code", "uuid"}


def named(column: str) -> tuple[str, Grade] | None:
    """What it says, and how near that is to a person; None where it says nothing.

    >>> named("first_name"), named("customerId"), named("loanamt")
    (('name of a person', 'direct'), ('number that stands for a person', 'pseudonym'), None)
    """
    its = words(column)
    for word in (*its, *map("".join, pairwise(its))):
        if word in SAYS:
            return SAYS[word], "direct"
    if its and PEOPLE & set(its) and (len(its) == 1 or its[-1] in NUMBERS):
        return "number that stands for a person", "pseudonym"
    if told := sensitive(column):
        return f"attribute: {told.rpartition(' ')[2]}", "attribute"
    return None
