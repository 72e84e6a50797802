"""Validate: the snapshot against a Great Expectations suite derived from the contract, and against leaks of the answer."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from prefect.artifacts import create_link_artifact

from configs.errors import InputError
from configs.schema import UseCase
from configs.settings import made, report_address, reports
from serving.contract.contract import Contract, ContractError
from tasks.data.frames import contract_of, encode_columns, read_rows
from tasks.data.values import Snapshot, Validation
from tasks.problems.leaks import LEAK
from tasks.problems.problem import problem_of
from tasks.step import step

LEAK_SAMPLE = 50_000
FIRST_ROWS = 1000


@step
def validate(use_case: UseCase, snapshot: Snapshot, contract: str, champion: str | None) -> Validation:
    """Run the suite, keep its Data Docs, and look for leaks.

    `champion` is the contract of the version that serves: a new snapshot must still keep its rules (a column that was
    never null may not become null), or the release stops here.

    Raises:
        InputError: naming the column and the first failing expectation.
    """
    frame = read_rows(snapshot, 0, snapshot.rows)
    columns = contract_of(contract)
    report = made(reports(use_case.name, "validation") / snapshot.digest[:16])
    expectations = suite(columns, contract_of(champion) if champion else columns)
    failures = _run_suite(frame, expectations, str(report))
    gc.collect()  # what Great Expectations made holds itself, and all rows
    create_link_artifact(
        key=f"validation-{use_case.name}",
        link=report_address(report / "index.html"),
        link_text=f"Data Docs of snapshot {snapshot.digest[:12]}",
        description=f"{len(expectations)} expectations, {len(failures)} failed",
    )
    if failures:
        raise InputError(f"snapshot {snapshot.digest[:12]}: {failures[0]} ({len(failures)} failed; {report}/index.html)")
    try:
        encoded = encode_columns(columns, frame)
    except ContractError as error:
        raise InputError(f"snapshot {snapshot.digest[:12]}: {error}") from None
    _refuse_leaks(columns, frame, encoded)
    return Validation(contract=contract, expectations=len(expectations), report=str(report / "index.html"))


def suite(contract: Contract, before: Contract) -> list[Any]:
    """The expectations that a contract stands for, stricter of it and the one that serves."""
    import great_expectations.expectations as gxe

    was_nullable = {column.name: column.nullable for column in before.columns}
    found: list[Any] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column=contract.target),
    ]
    if contract.classes:
        found.append(gxe.ExpectColumnValuesToBeInSet(column=contract.target, value_set=list(contract.classes)))
    if contract.time_column:
        found.append(gxe.ExpectColumnValuesToNotBeNull(column=contract.time_column))
    for column in contract.columns:
        name = column.name
        found.append(gxe.ExpectColumnToExist(column=name))
        if not (column.nullable and was_nullable.get(name, True)):
            found.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        if column.minimum is not None or column.maximum is not None:
            bounds = {"min_value": column.minimum, "max_value": column.maximum}
            found.append(gxe.ExpectColumnValuesToBeBetween(column=name, **bounds))
        if column.allowed is not None:
            found.append(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=list(column.allowed)))
    return found


def _run_suite(frame: Any, expectations: list[Any], report: str) -> list[str]:
    """Validate, build the Data Docs in the folder, and tell each failure in one line."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.add_data_docs_site(
        site_name="docs",
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": report},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    batch = context.data_sources.add_pandas("snapshot").add_dataframe_asset("rows").add_batch_definition_whole_dataframe
    definition = gx.ValidationDefinition(
        name="snapshot",
        data=batch("all"),
        suite=context.suites.add(gx.ExpectationSuite(name="contract", expectations=expectations)),
    )
    context.validation_definitions.add(definition)
    checkpoint = context.checkpoints.add(gx.Checkpoint(name="contract", validation_definitions=[definition], actions=[]))
    outcome = checkpoint.run(batch_parameters={"dataframe": frame})
    context.build_data_docs(site_names=["docs"])
    context.data_sources.delete("snapshot")  # the last context outlives this step, and its source would hold all rows
    results = [result for run in outcome.run_results.values() for result in run.results]
    return [_explain(result) for result in results if not result.success]


def _explain(result: Any) -> str:
    config, found = result.expectation_config, result.result
    rule = {key: value for key, value in config.kwargs.items() if key not in ("column", "batch_id")}
    wrong, rows = found.get("unexpected_count"), found.get("partial_unexpected_index_list") or []
    text = f"column {config.kwargs.get('column')!r}: {config.type.removeprefix('expect_column_').replace('_', ' ')}"
    text += f" {rule}" if rule else ""
    text += f" fails for {wrong} rows" if wrong else " fails"
    return text + (f", first row {rows[0]} ({found['partial_unexpected_list'][0]!r})" if rows else "")


def _refuse_leaks(contract: Contract, frame: Any, encoded: dict[str, np.ndarray]) -> None:
    """A feature that alone tells the answer is known only after it, as a rule: stop and name it."""
    problem = problem_of(contract)
    target = problem.targets(contract, frame)
    sample = np.random.default_rng(0).permutation(len(target))[:LEAK_SAMPLE]
    for name, values in encoded.items():
        if _equal(frame[name], frame[contract.target]):
            raise InputError(f"features: column {name!r} is equal to the target {contract.target!r}: it is the answer")
        leak = problem.leak(values.ravel()[sample], target[sample])
        if leak.told > LEAK:
            raise InputError(
                f"features: column {name!r} alone gives {leak.by} {leak.told:.3f} (over {LEAK}): it leaks the target "
                f"{contract.target!r}; remove it, or the model learns what is not known yet"
            )


def _equal(one: Any, other: Any) -> bool:
    """Whether two series have the same values; most differ in their first rows already."""
    return all(np.array_equal(*(each.iloc[:rows].to_numpy() for each in (one, other))) for rows in (FIRST_ROWS, len(one)))
