"""All that is wrong with a use case, found without running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import InputError, nearest
from configs.inferred import NotInferred, how_to_declare, inferred_file, new_columns, parse_inferred, read_inferred
from configs.kinds import ColumnKind
from configs.load import existing_file, faults, load_use_case
from configs.schema import ColumnRule, UseCase
from configs.secrets import secret
from tasks.audit.notice import EXAMPLE, page_of
from tasks.data.derive_contract import contract_of_rows
from tasks.data.frames import encode
from tasks.data.protected import check_protected
from tasks.data.queries import whole_queries
from tasks.data.ripe import ripe_rows
from tasks.data.source import Seen, open_source, training_rows
from tasks.data.split import newest, shared
from tasks.data.unfavourable import unfavourable_classes
from tasks.explaining.aim import aim_of
from tasks.explaining.moves.choose import moves_of
from tasks.explaining.observed import seen
from tasks.onboarding.answers import Answer, declared_answer
from tasks.onboarding.features.choose import FEATURES
from tasks.onboarding.infer import look, pasted
from tasks.onboarding.leaks import thinned, without_leaks
from tasks.onboarding.table import SAMPLE
from tasks.onboarding.values import Checked, Column
from tasks.papers.paper import template_of
from tasks.problems.classes import few
from tasks.problems.problem import problem_of
from tasks.review.rules import check_rules
from tasks.training.fit import build_pipeline
from tasks.training.given import hold_against, looked_at

FEW = 30  # held out rows of a class: hardly anybody can be judged by fewer


def check(name: str, say: Callable[[str], None]) -> Checked:
    """What is wrong with the use case, a line each, and what stands in it.

    Raises:
        InputError: there is no such use case.
    """
    found = _check(name, say)
    return found.model_copy(update={"problems": [f"{told}{how_to_declare(name, told)}" for told in found.problems]})


def _check(name: str, say: Callable[[str], None]) -> Checked:
    path = existing_file(name)
    try:
        if wrong := faults(path.read_text(encoding="utf-8"), path.name, read_inferred(name), path.parent):
            return Checked(problems=wrong)
        case, inferred = _loaded(name, say)
    except InputError as error:
        return Checked(problems=[str(error)])
    problems = [*_secrets(case), *_model(case), *_notice(case), *_papers(case)]
    try:
        say("reading the source")
        seen = Seen()
        there = open_source(name, case.source, seen=seen).columns
        problems += _columns(case, there)
        if problems:
            return Checked(problems=problems)
        table = training_rows(case, case.replay.start if case.replay else None, seen)
    except InputError as error:
        return Checked(problems=[*problems, str(error)])
    found = _of_rows(case, table, problems, say)
    return found.model_copy(
        update={"told": [*found.told, *dict.fromkeys(seen.told), *new_columns(case, there)], "inferred": inferred}
    )


def _loaded(name: str, say: Callable[[str], None]) -> tuple[UseCase, str]:
    """The use case, and the YAML of what it leaves to its table, frozen or as it would be; empty where it leaves none."""
    try:
        case = load_use_case(name)
    except NotInferred:
        text = look(name, say)
        return load_use_case(name, parse_inferred(text, inferred_file(name))), pasted(text)
    inferred = read_inferred(name)
    return case, pasted(inferred.path.read_text(encoding="utf-8")) if inferred else ""


def _secrets(case: UseCase) -> Iterator[str]:
    """What is named to be a secret and is not there."""
    wanted = {f"monitoring.notify.{at}.url": channel.url for at, channel in enumerate(case.monitoring.notify) if channel.url}
    if case.review and case.review.webhook:
        wanted |= {"review.webhook": case.review.webhook}
    if case.deploy.registry and case.deploy.registry.login == "secret":
        wanted |= {f"deploy.registry.login ({end})": f"SLIPWAY_REGISTRY_{end}" for end in ("USERNAME", "PASSWORD")}
    for key, name in wanted.items():
        try:
            if secret(name) is None:
                yield f"{key}: the secret {name} is not set; set it, or {name}_FILE to a file that holds it"
        except InputError as error:
            yield f"{key}: {error}"


def _model(case: UseCase) -> Iterator[str]:
    """A model that cannot be built: an own pipeline that fails, a parameter that is none, a library that is missing."""
    if case.model.onnx is None:
        try:
            build_pipeline(case.features, case.model, problem_of(case.target))
        except InputError as error:
            yield str(error)


def _notice(case: UseCase) -> Iterator[str]:
    """A template of notices that cannot be filled."""
    if case.reasons is not None and case.reasons.notice is not None:
        try:
            columns = dict.fromkeys(case.features.all, "1")
            page_of(EXAMPLE.model_copy(update={"record": columns}), Path(case.reasons.notice))
        except InputError as error:
            yield str(error)


def _papers(case: UseCase) -> Iterator[str]:
    """A folder of templates for papers that has none."""
    try:
        template_of("model-card", case.papers)
    except InputError as error:
        yield str(error)


def _given(case: UseCase, frame: Any) -> Iterator[str]:
    """An own file that does not fit the rows."""
    if case.model.onnx is not None:
        try:
            contract = contract_of_rows(case, frame)
            hold_against(looked_at(contract, case.recipe), encode(contract, frame))
        except InputError as error:
            yield str(error)


def _queries(case: UseCase, frame: Any) -> Iterator[str]:
    """Rows of a ranking that belong to no query, or to one that is torn."""
    if (query := case.target.query) is not None:
        try:
            problem_of(case.target).classes(case.target, frame)
            whole_queries(query, str(case.source.time_column), frame)
        except InputError as error:
            yield str(error)


def _protected(case: UseCase, frame: Any) -> Iterator[str]:
    """Protected columns that make no groups, or a favourable answer that is none."""
    try:
        check_protected(case, frame, problem_of(case.target).classes(case.target, frame) if case.fairness else ())
    except InputError as error:
        yield str(error)


def _unfavourable(case: UseCase, frame: Any) -> Iterator[str]:
    """An unfavourable answer that is none."""
    try:
        unfavourable_classes(case, problem_of(case.target).classes(case.target, frame) if case.reasons else ())
    except InputError as error:
        yield str(error)


def _counterfactuals(case: UseCase, frame: Any) -> Iterator[str]:
    """A wanted answer that is none, or a declared change that no row bears out."""
    if case.counterfactuals is None:
        return
    contract, declared = contract_of_rows(case, frame), case.counterfactuals.columns
    try:
        aim_of(case, contract)
    except InputError as error:
        yield str(error)
    columns = {column.name: column for column in contract.columns if column.name in declared}
    for name, move in moves_of(columns, declared, seen(contract, frame[list(declared)])).items():
        if move.wrong:
            yield f"counterfactuals.columns.{name}: {move.wrong}"


def _review(case: UseCase, frame: Any) -> Iterator[str]:
    """A rule of the review that is no condition on the log, or an answer for what is late that the target does not have."""
    if case.review is None:
        return
    try:
        check_rules(case)
    except InputError as error:
        yield str(error)
    late, classes = case.review.answer_when_late, problem_of(case.target).classes(case.target, frame)
    if late is not None and classes and late not in classes:
        yield f"review.answer_when_late: {late!r} is no value of {case.target.column!r}; found {few(list(classes))}"


def _columns(case: UseCase, there: list[str]) -> Iterator[str]:
    """Columns that the use case names and the source lacks."""
    wanted = [(f"features.{kind}", name) for name, kind in case.features.kinds.items()]
    wanted += [("target.column", case.target.column)]
    wanted += [("source.time_column", case.source.time_column)] if case.source.time_column else []
    wanted += [("target.query", case.target.query)] if case.target.query else []
    wanted += [("fairness.protected", name) for name in case.fairness.protected] if case.fairness else []
    wanted += [("privacy.quasi_identifiers", name) for name in case.privacy.quasi_identifiers]
    wanted += [("reasons.proxies", name) for name in case.reasons.proxies] if case.reasons else []
    wanted += (
        [("evaluation.slices.columns", name) for name in case.evaluation.slices.columns] if case.evaluation.slices else []
    )
    for key, name in wanted:
        if name not in there:
            yield f"{key}: the source has no column {name!r}; {nearest(name, there)}"


def _of_rows(case: UseCase, table: Any, problems: list[str], say: Callable[[str], None]) -> Checked:
    """What the rows say of the rules, the target, the parts and leaks."""
    frame = table.to_pandas()
    say("holding the rules against the rows")
    problems += [text for name, kind in case.features.kinds.items() for text in _rules(case, name, kind, frame[name])]
    target = frame[case.target.column]
    try:
        answer = declared_answer(case.target, target)
    except InputError as error:
        return Checked(problems=[*problems, str(error)])
    problems += [*_given(case, frame), *_queries(case, frame), *_protected(case, frame)]
    problems += [*_unfavourable(case, frame), *_review(case, frame)]
    problems += [] if problems else _counterfactuals(case, frame)
    learn, cut = _parts(case, table)
    problems += _judged(answer, target.iloc[:learn], target.iloc[cut:])
    columns = _looked_at(case, frame, answer, say)
    leaks = [f"features: {column.name!r} {column.why_out}" for column in columns if column.why_out]
    features = f"{len(case.features.all)} features, problem {case.target.problem} ({answer.told})"
    told = [f"{len(frame):,} rows: {learn:,} are learned from, {len(frame) - cut:,} judge; {features}"]
    told += [f"features: {column.name!r} {column.note}" for column in columns if column.note and not column.why_out]
    return Checked(problems=problems + leaks, told=told + _thin(answer, target.iloc[cut:]))


def _rules(case: UseCase, name: str, kind: ColumnKind, values: Any) -> Iterator[str]:
    """Rules of a feature that its values do not keep, and such that no value of its kind can."""
    rule = case.features.rules.get(name, ColumnRule())
    if rule.nullable is False and (empty := int(values.isna().sum())):
        yield f"features.rules.{name}: 'nullable' is false, and {empty:,} rows have no value"
    yield from FEATURES[kind].wrong(name, rule, values.dropna())


def _parts(case: UseCase, table: Any) -> tuple[int, int]:
    """How many rows are learned from, and where those begin that judge."""
    if case.source.time_column is None:
        cut = shared(table, float(case.split.holdout))  # type: ignore[arg-type]
        return cut, cut
    times = table.column(case.source.time_column).to_pandas().to_numpy()
    cut = newest(times, case.split.holdout)[0]
    delay: timedelta = case.source.label_delay
    return (ripe_rows(times, cut, delay) if cut < len(times) else cut), cut


def _judged(answer: Answer, learned: Any, held_out: Any) -> Iterator[str]:
    for part, values in (("training", learned), ("holdout", held_out)):
        least, which = answer.rarest(values)
        if least < answer.needed:
            yield (
                f"split.holdout: the {part} part has {len(values):,} rows, {least} of them {which}; at least "
                f"{answer.needed} are needed: change 'split.holdout', or give more rows"
            )


def _thin(answer: Answer, held_out: Any) -> list[str]:
    least, which = answer.rarest(held_out)
    return [f"split.holdout: only {least} held out rows {which}: a gate says little of them"] if least < FEW else []


def _looked_at(case: UseCase, frame: Any, answer: Answer, say: Callable[[str], None]) -> list[Column]:
    sample = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, SAMPLE).astype(int))]
    columns = [
        Column(name=name, kind=kind, why="", missing=0, distinct=frame[name].nunique())
        for name, kind in case.features.kinds.items()
    ]
    sample = thinned(sample, columns)
    return without_leaks(columns, sample, sample[case.target.column], answer, say)
