"""What differs between recorded configurations, key by key, as a person would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.comparing.values import Fact, Scalar

THERE, ORDER = "yes", " (order)"


def differing(recorded: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """The keys whose values are not the same everywhere, in the order of the configuration; values by version.

    >>> one, other = {"a": {"x": 1, "y": [1, 2]}}, {"a": {"x": 1, "y": [2, 3]}}
    >>> [(fact.what, fact.values) for fact in differing({"1": one, "2": other})]
    [('a.y: 1', {'1': 'yes', '2': None}), ('a.y: 3', {'1': None, '2': 'yes'})]
    >>> [fact.what for fact in differing({"1": {"a": [1, 2]}, "2": {"a": [2, 1]}})]
    ['a (order)']
    """
    flat = {number: flattened(values) for number, values in recorded.items()}
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    facts = [Fact(what=key, values={number: values.get(key) for number, values in flat.items()}) for key in keys]
    found = [fact for fact in facts if len(set(map(repr, fact.values.values()))) > 1]
    return [fact for fact in found if not _says_more(fact.what, found)]


def _says_more(key: str, found: list[Fact]) -> bool:
    """Whether it is an order of which other entries say more: what came or went."""
    path = key.removesuffix(ORDER)
    return path != key and any(other.what.startswith(f"{path}: ") for other in found)


def flattened(value: Any, path: str = "") -> dict[str, Scalar]:
    """One entry a leaf. What is in a list, and the lines of a longer text, are entries of their own.

    >>> flattened({"source": {"query": "select 1\\nfrom t"}, "gates": [{"metric": "r2"}]})
    {'source.query, line: select 1': 'yes', 'source.query, line: from t': 'yes', 'gates[0].metric': 'r2'}
    """
    if isinstance(value, Mapping):
        parts = [flattened(each, f"{path}.{key}" if path else str(key)) for key, each in value.items()]
        return {key: each for part in parts for key, each in part.items()}
    if isinstance(value, str) and "\n" in value.strip():
        return {f"{path}, line: {line.strip()}": THERE for line in value.splitlines() if line.strip()}
    if not isinstance(value, list | tuple):
        return {path: value}
    if any(isinstance(each, Mapping | list | tuple) for each in value):
        parts = [flattened(each, f"{path}[{place}]") for place, each in enumerate(value)]
        return {key: each for part in parts for key, each in part.items()}
    return {f"{path}{ORDER}": ", ".join(map(str, value)), **{f"{path}: {each}": THERE for each in value}}
