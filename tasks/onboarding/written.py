"""A proposal as the YAML of a use case, with the reason of each choice beside it, and what was left out in comments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from configs.kinds import COLUMN_KINDS
from configs.schema import Model
from tasks.onboarding.answers import Answer
from tasks.onboarding.features.choose import feature_of, may_be_feature
from tasks.onboarding.propose import Proposal
from tasks.onboarding.values import Column

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # YAML has these only escaped, JSON as they are
WORDS_OF_YAML = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan"])


def as_yaml(proposal: Proposal, told: str = "Written by 'slipway init'") -> str:
    """The text of the file, which loads as it is; `told` begins it."""
    return "\n".join(
        [
            f"name: {proposal.name}",
            f"description: {scalar(proposal.answer.question(proposal.target))}",
            f"# {told} from {proposal.table.size:,} rows. Every key: docs/use-cases.md",
            *(f"# Note: {note}" for note in proposal.notes),
            "",
            *_source(proposal),
            "",
            *_target(proposal.answer, proposal.target),
            "",
            *_features(proposal.columns),
            *_model(proposal),
            "",
            *_split(proposal),
            "",
            *_evaluation(proposal),
            "",
            *_monitoring(proposal),
            "",
        ]
    )


def scalar(value: Any) -> str:
    """A value as YAML has it on one line.

    >>> [scalar(each) for each in ("age", "yes", "home.dest", 1, True)]
    ['age', '"yes"', '"home.dest"', '1', 'true']
    """
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS_OF_YAML:
        return value
    return UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _source(proposal: Proposal) -> list[str]:
    url = proposal.url
    where = url if "://" in url or "${" in url else str(Path(url).expanduser().resolve())
    lines = ["source:", "  tables:", f"    {proposal.table.name}: {scalar(where)}"]
    if written := proposal.table.source.csv.model_dump(exclude_defaults=True):
        lines.append(f"  csv: {{{', '.join(f'{key}: {scalar(value)}' for key, value in written.items())}}}")
    if proposal.missing:
        lines += [
            "  # Texts among numbers and times: they stand for nothing.",
            f"  missing: [{', '.join(map(scalar, proposal.missing))}]",
        ]
    if proposal.query:
        lines += ["  # What cannot be read as a number or a time is made missing or left out here.", "  query: |"]
        lines += [f"    {line}" for line in proposal.query.splitlines()]
    if not proposal.times:
        return [
            *lines,
            "  # No column says when a row happens. One that does would go here: the newest rows then judge.",
            "  # time_column:",
        ]
    return [
        *lines,
        f"  # {proposal.times.told}",
        f"  time_column: {scalar(proposal.times.column)}",
        "  # How long after a row its answer is known; until then nothing is learned from it.",
        "  # label_delay: 1 day",
    ]


def _target(answer: Answer, target: str) -> list[str]:
    key, value, why = answer.declared
    return ["target:", f"  column: {scalar(target)}", f"  # {why}", f"  {key}: {scalar(value)}"]


def _features(columns: list[Column]) -> list[str]:
    lines = ["# What is left out has its reason beside it. Take the '# ' away to have it learned from.", "features:"]
    for kind in COLUMN_KINDS:
        lines += _of_kind(kind, [column for column in columns if column.kind == kind])
    known = [column for column in columns if column.kind == "identifier"]
    if known:
        lines += ["  # Clients may send these beside the rest: logged so that a record can be found, never learned from."]
        lines += ["  identifiers:", *(_line(column.name, column.why) for column in known)]
    others = [column for column in columns if column.kind not in (*COLUMN_KINDS, "identifier")]
    if others:
        lines += ["  # Neither of them:", *(f"  # {scalar(column.name)}: {column.why_out}" for column in others)]
    return lines + _rules([column for column in columns if may_be_feature(column)])


def _rules(columns: list[Column]) -> list[str]:
    """Which columns the log keeps as a hash: those whose values tell of persons; for others a person may say so."""
    told = [column for column in columns if column.is_feature and column.personal]
    maybe = [column for column in columns if column not in told and (column.sensitive or column.personal)]
    maybe += [column for column in columns if column.is_feature and feature_of(column).anybody and column not in told]
    lines = [
        f"  # {scalar(column.name)}: {column.personal}. The log keeps a hash of it, and it is not watched."
        for column in told
    ]
    lines += ["  rules:", *(f"    {scalar(column.name)}: {{sensitive: true}}" for column in told)] if told else []
    if maybe:
        lines += [
            "  # With a column that is sensitive goes its rule: the log then keeps a hash of it. Texts may name people."
        ]
        lines += [] if told else ["  # rules:"]
        lines += [f"  #   {scalar(column.name)}: {{sensitive: true}}" for column in maybe]
    return lines


def _model(proposal: Proposal) -> list[str]:
    """Nothing where it is the usual one."""
    if proposal.model == Model():
        return []
    given = ", ".join(f"{key}: {scalar(value)}" for key, value in proposal.model.parameters.items())
    named = f"estimator: {proposal.model.estimator}" + f", parameters: {{{given}}}" * bool(given)
    return ["", "# Texts take a linear model; how they are read: docs/text.md", f"model: {{{named}}}"]


def _of_kind(kind: str, columns: list[Column]) -> list[str]:
    """The columns of a kind, those that are left out as comments."""
    used = [
        _line(column.name, "; ".join(filter(None, (column.why, column.note)))) for column in columns if column.is_feature
    ]
    out = [f"    # - {scalar(column.name)}  # {column.why_out}" for column in columns if not column.is_feature]
    if used:
        return [f"  {kind}:", *used, *out]
    return [f"  {kind}: []" + ("  # take the [] away with the first '# '" if out else ""), *out] if columns else []


def _line(name: str, why: str) -> str:
    return f"    - {scalar(name)}  # {why}"


def _split(proposal: Proposal) -> list[str]:
    rule = "the newest rows judge" if proposal.times else "a fixed share judges, and is never learned from"
    return [f"# {proposal.held_out:,} rows, about: {rule}.", "split:", f"  holdout: {proposal.holdout}"]


def _evaluation(proposal: Proposal) -> list[str]:
    gate = proposal.gate
    lines = [f"# {part}" for part in gate.why.split("; ")]
    lines += ["evaluation:", "  gates:", f"    - {{metric: {gate.metric}, {gate.bound}: {gate.value:g}}}"]
    return [*lines, "", "promotion:", f"  metric: {gate.metric}"]


def _monitoring(proposal: Proposal) -> list[str]:
    lines = ["monitoring:", f"  window: {proposal.window}"]
    return [*lines, f"  min_labels: {proposal.min_labels}"] if proposal.window.endswith("rows") else lines
