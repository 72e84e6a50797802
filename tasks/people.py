"""People: who somebody is, and what they may do; one table for the command line, Prefect's inputs and pages.

A home without a table has no roles: everybody who may write to it may do everything, and is called by their account. With
one, whoever acts must be in it: known by the account that runs the command, or by an API key in `SLIPWAY_KEY`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pwd
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import ValidationError

from configs.errors import CheckFailed, InputError
from configs.files import locked, write_atomically
from configs.secrets import secret
from configs.settings import home, made
from serving.security.keys import PREFIX, Key, KeysError, read_keys
from tasks.store import Value

PersonRole = Literal["viewer", "operator", "approver", "reviewer", "auditor"]
ROLES: tuple[PersonRole, ...] = get_args(PersonRole)
NEXT_TO_IT = "; 'slipway people --help' says how somebody gets in"


class NotAllowed(CheckFailed):
    """Somebody is known, and has not the role that this needs."""


class Person(Value):
    """Somebody: `account` is their login on this machine, `keys` the ids of their API keys."""

    name: str
    roles: tuple[PersonRole, ...]
    account: str = ""
    keys: tuple[str, ...] = ()


class SignedIn(NamedTuple):
    """Somebody who has shown their API key before, and is known by its id since."""

    key_id: str


def people() -> list[Person]:
    """The table, by name; empty where there is none.

    Raises:
        InputError: it cannot be read, so nobody may do anything.
    """
    if not _path().exists():
        return []
    try:
        return [Person.model_validate(each) for each in json.loads(_path().read_bytes())]
    except (ValueError, ValidationError) as error:
        raise InputError(f"{_path()}: is no table of people ({' '.join(str(error).split())[:200]})") from None


def who(typed: str | SignedIn | None = None) -> Person:
    """Whoever runs this process: by the key in `SLIPWAY_KEY` where one is given, else by the account.

    With `typed` it is whoever filled in a form, where they typed that key, or signed in: the process's account says nothing
    of them.

    Raises:
        InputError: the key is none of this home's, or there is a table and it holds nobody of that account or key.
    """
    table, key = people(), _own_key(secret("SLIPWAY_KEY") if typed is None else typed)
    if table and typed == "":
        raise InputError(f"the form needs an API key of somebody in {_path()}, and got none")
    account = key.name if key else pwd.getpwuid(os.geteuid()).pw_name  # not LOGNAME, which anybody may set
    if not table:
        return Person(name=account, roles=ROLES)
    found = [each for each in table if (key.id in each.keys if key else each.account == account)]
    if not found:
        named = f"the API key {key.name!r} ({key.id})" if key else f"the account {account!r}"
        raise InputError(f"{named} is nobody's in {_path()}{NEXT_TO_IT}")
    return found[0]


def may(role: PersonRole | tuple[PersonRole, ...], what: str, typed: str | SignedIn | None = None) -> Person:
    """Whoever runs this process, or typed that key or signed in, if they have the role, or one of these; `what` is what they
    are about to do.

    Raises:
        InputError: nobody knows them.
        NotAllowed: they have not the role.
    """
    person = who(typed)
    roles = (role,) if isinstance(role, str) else role
    if not {*roles} & {*person.roles}:
        has, needed = ", ".join(person.roles) or "none", " or ".join(map(repr, roles))
        raise NotAllowed(f"{person.name} may not {what}: that needs the role {needed}, and {person.name} has {has}")
    return person


def put_person(person: Person) -> None:
    """Put somebody into the table, in the place of whoever had the name.

    Raises:
        InputError: somebody else has the account or one of the keys.
    """
    with locked(made(home()) / "people.lock"):
        others = [each for each in people() if each.name != person.name]
        for other in others:
            shared = set(person.keys) & set(other.keys) or ({person.account} - {""}) & {other.account}
            if shared:
                raise InputError(f"{sorted(shared)[0]!r} is {other.name}'s already; one account or key is one person")
        _write([*others, person])


def drop_person(name: str) -> None:
    """Take somebody out of the table; what they said stays.

    Raises:
        InputError: nobody has that name, or it is the last one: without a table everybody might do everything.
    """
    with locked(made(home()) / "people.lock"):
        table = people()
        left = [each for each in table if each.name != name]
        if len(left) == len(table):
            raise InputError(f"nobody is called {name!r}; there are: {', '.join(each.name for each in table) or 'none'}")
        if not left:
            raise InputError(
                f"{name} is the last one, and without a table everybody may do everything; for that, remove {_path()}"
            )
        _write(left)


def _write(table: list[Person]) -> None:
    rows = [each.model_dump(mode="json") for each in sorted(table, key=lambda each: each.name)]
    write_atomically(_path(), json.dumps(rows, indent=1).encode())


def key_id_of(text: str) -> str:
    """The id in the text of an API key."""
    return text.removeprefix(PREFIX).partition("_")[0]


def _own_key(given: str | SignedIn | None) -> Key | None:
    """The key in use of that text, or of somebody who signed in, of any use case of this home."""
    if not given:
        return None
    key_id = given.key_id if isinstance(given, SignedIn) else key_id_of(given)
    shown = None if isinstance(given, SignedIn) else given.removeprefix(f"{PREFIX}{key_id}_")  # once, when they signed in
    digest = None if shown is None else hashlib.sha256(shown.encode()).hexdigest()
    for path in sorted((home() / "use_cases").glob("*/keys/keys.json")):
        try:
            known = read_keys(path)
        except KeysError as error:
            raise InputError(str(error)) from None
        for key in known:
            if key.id == key_id and key.revoked is None and (digest is None or hmac.compare_digest(key.sha256, digest)):
                return key
    raise InputError(
        f"the API key given (SLIPWAY_KEY, or in a form) is no key in use of {home()}; 'slipway keys list NAME' lists a use "
        "case's"
    )


def _path() -> Path:
    return home() / "people.json"
