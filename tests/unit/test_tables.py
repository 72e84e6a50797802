"""Tables as people have them: each goes the whole way, and every way of asking gives what scikit-learn gives."""

import csv
import io
import json
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from onnx import load_from_string

import tasks.scoring.files
from configs.errors import InputError
from configs.load import parse_use_case
from configs.schema import CsvFormat
from configs.settings import prediction_log
from serving.contract.contract import Column, Contract, ContractError
from serving.contract.records import Records
from serving.log.writer import PredictionLog
from serving.options import Options
from serving.protocols.mlflow import MlflowScoring
from serving.protocols.native import Native
from serving.protocols.open_inference import OpenInference
from serving.protocols.openapi import openapi
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.scoring.onnx import Scorer
from serving.transports.http import App
from tasks.data.csv_file import Declared
from tasks.data.files import read_file
from tasks.data.frames import client_values, contract_of, encode, read_rows
from tasks.data.source import training_rows
from tasks.data.validate import validate
from tasks.log.conditions import matching, parse_condition
from tasks.log.read import open_log
from tasks.log.values import Bounds
from tasks.log.windows import decoded
from tasks.monitoring.collect import collect_window
from tasks.monitoring.drift.detect import detect_drift
from tasks.monitoring.report import drift_report
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.values import BundleRef
from tasks.packaging.variants import choose_variant
from tasks.registry.lineage import lineage
from tasks.registry.values import Version
from tasks.scoring.rows import Source
from tasks.training.evaluate import evaluate
from tasks.training.fitted import load
from tests.conftest import chain, small_frame, small_use_case

HEAD = """
name: table
description: What follows from the rest?
evaluation: {gates: [{metric: roc_auc, at_least: 0.5}]}
monitoring: {window: 100 rows}
"""
CASES = {
    "names.csv": """
target: {column: bought, positive: "yes"}
features:
  numeric: [Total Amount, x-y, n1, 年齢, f(in), 'say "hi"']
  categorical: [home.dest, home_dest, from, c0]
""",
    "codes.csv": """
target: {column: left, positive: "yes"}
features: {numeric: [visits, always], categorical: [zip, country, opted_in, code, grade, dest]}
""",
    "codes.csv with booleans as numbers": """
target: {column: left, positive: "yes"}
features: {numeric: [visits, opted_in], categorical: [zip, country]}
model: {estimator: logistic_regression}
""",
    "sheet.csv": """
target: {column: bought}
features: {numeric: [age, price]}
""",
    "latin.csv": """
target: {column: bought}
features: {numeric: [âge], categorical: [ville]}
""",
    "warehouse.parquet": """
target: {column: ok}
features: {numeric: [amount, small, flag], categorical: [channel, account]}
""",
    "offsets.csv": """
target: {column: late}
features: {numeric: [load]}
""",
}
SOURCES = {
    "sheet.csv": 'csv: {decimal: ","}',
    "latin.csv": "csv: {encoding: latin-1}",
    "warehouse.parquet": "time_column: seen_at",
    "offsets.csv": "time_column: at",
}


@pytest.fixture
def tables():
    """The folder of odd tables beside the project, where it is there."""
    data = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    folder = data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no tables in {folder}")
    return folder


def use_case(path, text, source=""):
    return parse_use_case(f"{HEAD}\nsource: {{tables: {{rows: {json.dumps(str(path))}}}, {source}}}\n{text}", "table.yaml")


def released(case):
    """The chain to the bundle: its folder, a part of the holdout, the pipeline's probabilities for it, and the contract."""
    snapshot, digest, parts, fitted = chain(case)
    contract = contract_of(digest)
    assert validate.fn(case, snapshot, digest, digest).expectations > 3
    onnx = convert.fn(parts, digest, case.features, fitted)
    assert onnx.max_difference < 1e-5
    onnx = choose_variant.fn(parts, digest, case.features, onnx)
    evaluation = evaluate.fn(case, parts, digest, fitted)
    built = bundle.fn(case, snapshot, digest, onnx, evaluation, lineage(case, parts, None, digest, onnx))
    frame = read_rows(snapshot, parts.cut, snapshot.rows).iloc[:40].reset_index(drop=True)
    return built.path, frame, load(fitted).predict_proba(encode(contract, frame)[case.features.all]), contract


def as_csv(contract, frame):
    text = io.StringIO()
    rows = zip(*(["" if v is None else v for v in client_values(frame[n])] for n in contract.names), strict=True)
    csv.writer(text).writerows([contract.names, *rows])
    return text.getvalue().encode()


def tensors(contract, frame):
    for column in contract.columns:
        values = client_values(frame[column.name])
        kind = "BYTES" if column.dtype == "string" and all(v is None or isinstance(v, str) for v in values) else "FP64"
        if all(v is None or isinstance(v, bool) for v in values):
            kind = "BOOL"
        elif all(v is None or isinstance(v, int) for v in values):
            kind = "INT64"
        yield {"name": column.name, "shape": [len(values)], "datatype": kind, "data": values}


def jobs(app, contract, frame):
    """The rows by every way of asking."""
    records = [
        dict(zip(contract.names, row, strict=True))
        for row in zip(*map(client_values, (frame[n] for n in contract.names)), strict=True)
    ]
    native, mlflow = Native(app.model), MlflowScoring(app.model)
    yield native.read(json.dumps({"records": records}).encode())
    for body in (
        {"dataframe_records": records},
        {"inputs": {name: [record[name] for record in records] for name in contract.names}},
        {"dataframe_split": {"columns": contract.names, "data": [list(record.values()) for record in records]}},
    ):
        yield mlflow.read(json.dumps(body).encode(), "application/json")[0]
    yield mlflow.read(as_csv(contract, frame), "text/csv")[0]
    yield OpenInference(app.model).read(json.dumps({"inputs": list(tensors(contract, frame))}).encode(), None)[0]


def check(case, tmp_path, batch=None, watched=False):
    """The whole way: released, asked by every protocol, logged, read as a window, scored as a file, and watched."""
    folder, frame, expected, contract = released(case)
    log = PredictionLog(prediction_log("table"))
    model = ServedModel(read_bundle(folder), Identity("1", "table-v1"), log)
    asked = list(jobs(App(model, Options(bundle=str(folder), log="log"), None), contract, frame))
    model.score(asked)
    for job in asked:
        assert job.error is None, job.error
        np.testing.assert_allclose(job.outputs, expected, atol=1e-5)
    log.close()
    with open_log("table") as kept:
        rows = kept.sql("select prediction_id, label, features::varchar as features from log").to_arrow_table()
        kept_features = [json.loads(text) for text in rows["features"].to_pylist()]
    ids = {each: place for place, each in enumerate(rows["prediction_id"].to_pylist())}
    first = [kept_features[ids[each]] for each in asked[0].ids]
    for job in asked[1:]:
        for one, other in zip(first, (kept_features[ids[each]] for each in job.ids), strict=True):
            assert {k: v for k, v in one.items() if v is not None} == {k: v for k, v in other.items() if v is not None}
    for name in [*case.features.categorical, *case.features.text]:
        value, number = next((record[name], place) for place, record in enumerate(first) if record.get(name) is not None)
        assert asked[0].ids[number] in matching("table", [parse_condition(f"{name}={value}", case)])
    window = decoded(rows, contract)
    assert set(window.column_names) >= {f"feature.{name}" for name in contract.names}
    logged = window.take([ids[each] for each in asked[0].ids]).to_pandas()
    found = encode(contract, logged[[f"feature.{name}" for name in contract.names]].set_axis(contract.names, axis=1))
    pd.testing.assert_frame_equal(found, encode(contract, frame), check_dtype=False)
    assert openapi(model)["components"]["schemas"]["Record"]["properties"].keys() == set(contract.names)
    part = tmp_path / "batch.parquet"
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), part)
    for source, form in ((part, CsvFormat()), *([batch] if batch else [])):
        out = tmp_path / f"out-{source.stem}"
        version = SimpleNamespace(version="1", bundle=SimpleNamespace(path=folder, digest="d"))
        rows = tasks.scoring.files.score_file.fn("table", version, str(source), str(out), form)
        scored = pq.read_table(out)
        assert scored.num_rows == rows
        if source == part:
            np.testing.assert_allclose(scored["probability"].to_numpy(), expected[:, 1], atol=1e-5)
    if watched:
        watch(case, folder)
    return contract


def watch(case, folder):
    """A window of the log as monitoring sees it: collected, compared with the reference, shown on Evidently's page."""
    version = Version(use_case="table", version="1", run_id="", bundle=BundleRef(digest=folder.name), golden="")
    window = collect_window.fn(case, Bounds(name="rows-0-99", start="0", end="100"), {"1": version})
    drift = detect_drift.fn(case, window.judged[0], version, 0.9)
    assert drift.columns.keys() == set(case.features.all)
    assert max(column.outside for column in drift.columns.values()) < 0.2, (
        "rows of the holdout are none that nobody has seen"
    )
    drift_report.fn(case, window.judged[0], version.bundle, drift)


@pytest.fixture
def untold(quiet, monkeypatch):
    """No artifact of a variant or of a file's progress is written."""
    monkeypatch.setattr("tasks.packaging.variants.create_table_artifact", lambda **_: None)
    monkeypatch.setattr("tasks.monitoring.report.create_link_artifact", lambda **_: None)
    monkeypatch.setattr("tasks.monitoring.report.report_address", str)
    monkeypatch.setattr(tasks.scoring.files, "create_progress_artifact", lambda **_: "id")
    monkeypatch.setattr(tasks.scoring.files, "update_progress_artifact", lambda *_, **__: None)


@pytest.mark.parametrize("name", CASES)
def test_a_table_goes_the_whole_way(home, untold, tmp_path, tables, name):
    path = tables / name.split(" ")[0]
    case = use_case(path, CASES[name], SOURCES.get(path.name, ""))
    contract = check(case, tmp_path, (path, case.source.csv), watched=name in ("names.csv", "codes.csv"))
    columns = {column.name: column for column in contract.columns}
    if name == "codes.csv":
        assert columns["zip"].categories == ("00501", "01234", "02116", "94105")
        assert columns["country"].categories == ("DE", "NA", "None", "US", "nan")
        assert columns["grade"].categories == ("1", "1.0", "1e2", "2")
        assert "  padded " in columns["dest"].categories
    if name == "warehouse.parquet":
        assert contract.classes == (False, True)
        assert set(columns["account"].categories) == set(map(str, pq.read_table(path)["account"].to_pylist())) - {"None"}
        assert columns["flag"].boolean


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sheet.csv", r"line 2, column 'price': must be a number, found '45,81'; 'source.csv: {decimal: \",\"}' reads"),
        ("latin.csv", "line 1: byte 0xe2 is no utf-8; .*'source.csv: {encoding: windows-1252}' reads"),
    ],
)
def test_what_is_not_read_as_it_is_says_which_setting_reads_it(tables, name, told):
    with pytest.raises(InputError, match=told):
        training_rows(use_case(tables / name, CASES[name]), None)


ODD_NAMES = [
    "label",
    "probabilities",
    "c0",
    "n1",
    "t0_0",
    "x1",
    "x0",
    "a b",
    "a.b",
    "a_b",
    "select",
    'say "hi"',
    "ü\\n",
    "行",
    "a=b/~",
]


def odd_frame(names, categories, rows=400):
    """Columns of these names by turns numeric and categorical, and a target that follows them."""
    frame, dice = small_frame(rows), np.random.default_rng(1)
    made = {}
    for place, name in enumerate(names):
        made[name] = dice.choice(categories, rows) if place % 2 else frame["a"] * (place + 1) + dice.normal(size=rows)
    return pd.DataFrame(made).assign(**{"the answer": frame["y"]})


def odd_case(path, names, more=""):
    features = {"numeric": names[::2], "categorical": names[1::2]}
    return use_case(path, f'target: {{column: the answer, positive: "yes"}}\nfeatures: {json.dumps(features)}\n{more}')


def test_any_name_goes_the_whole_way(home, untold, tmp_path):
    odd_frame(ODD_NAMES, ["01", "1", "NA", "1e2", "nan"]).to_csv(tmp_path / "odd.csv", index=False)
    contract = check(odd_case(tmp_path / "odd.csv", ODD_NAMES), tmp_path, (tmp_path / "odd.csv", CsvFormat()), watched=True)
    assert next(column for column in contract.columns if column.name == "x0") is not None
    assert contract.columns[0].categories == ("01", "1", "1e2", "NA", "nan")


NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ue000"), min_size=1, max_size=12)
CATEGORY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
    st.sampled_from(
        ["01234", "1", "1.0", "1e2", "NA", "None", "nan", "2024-01-01", "null", '"', ",", ";", " ", "\n", "\r\n"]
    ),
)


@given(st.lists(NAME, min_size=2, max_size=5, unique_by=str.lower), st.data())
def test_records_keep_any_name_and_any_category(names, data):
    contract = Contract("t", tuple(Column(name, "categorical", nullable=True) for name in names), "y", (0, 1))
    records = Records(contract)
    given = {name: data.draw(CATEGORY) for name in names}
    (record,) = records.read([json.dumps(given).encode()])
    assert records.fields(record) == given
    texts = records.inputs([record]).texts
    assert [texts[place, 0] for place in range(len(names))] == list(given.values())


@given(st.lists(CATEGORY, min_size=1, max_size=6))
@hypothesis_settings(max_examples=60)
def test_a_category_of_a_csv_is_the_text_that_it_is(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["c", "n"], *([value, 1] for value in values)])
    column = Column("c", "categorical")
    found = read_file("rows", str(path), Declared(texts={"c": column.from_csv}))["c"].to_pylist()
    assert found == [value.lower() if value.lower() in ("true", "false") else value for value in values]


def test_a_scorer_takes_graphs_whose_inputs_are_called_like_the_columns(home, untold, tmp_path):
    """Bundles from before have them, also where one is called as a new graph calls another."""
    names = ["x1", "x0", "b", "d"]
    odd_frame(names, ["u", "v"]).to_csv(tmp_path / "odd.csv", index=False)
    case = odd_case(tmp_path / "odd.csv", names)
    folder, frame, expected, contract = released(case)
    graph = load_from_string(read_bundle(folder).model)
    called = dict(zip((each.name for each in graph.graph.input), contract.names, strict=True))
    for each in graph.graph.input:
        each.name = called[each.name]
    for node in graph.graph.node:
        node.input[:] = [called.get(name, name) for name in node.input]
    arrays = {name: values.to_numpy()[:, None] for name, values in encode(contract, frame).items()}
    np.testing.assert_allclose(Scorer(graph.SerializeToString(), contract).outputs(arrays), expected, atol=1e-5)


@pytest.mark.parametrize("capitals", [str, str.upper, str.capitalize])
def test_booleans_are_features_of_either_kind_and_a_target(home, untold, tmp_path, capitals):
    frame, dice = small_frame(400), np.random.default_rng(0)
    made = pd.DataFrame({"number": frame["a"] > 0, "category": frame["b"] > 0, "n": frame["a"], "y": frame["y"] == "yes"})
    texts = made.map(lambda value: capitals(str(value).lower()) if isinstance(value, bool) else value)
    texts.loc[dice.random(400) < 0.1, "number"] = ""
    texts.to_csv(tmp_path / "rows.csv", index=False)
    text = "target: {column: y}\nfeatures: {numeric: [number, n], categorical: [category]}"
    contract = check(use_case(tmp_path / "rows.csv", text), tmp_path, (tmp_path / "rows.csv", CsvFormat()))
    assert contract.classes == (False, True)
    assert contract.columns[0].categories == ("false", "true")


def rows_of(path, source="", features="{numeric: [a, b], categorical: [c]}", positive='"yes"'):
    case = use_case(path, f"target: {{column: y, positive: {positive}}}\nfeatures: {features}", source)
    return training_rows(case, None).to_pandas()


DIALECTS = {
    "a mark": ({"encoding": "utf-8-sig"}, ""),
    "semicolons": ({"sep": ";"}, ""),
    "tabs": ({"sep": "\t"}, ""),
    "UTF-16": ({"encoding": "utf-16"}, ""),
    "decimal commas": ({"sep": ";", "decimal": ","}, 'csv: {decimal: ","}'),
    "Windows": ({"encoding": "windows-1252", "lineterminator": "\r\n"}, "csv: {encoding: windows-1252}"),
    "declared": ({"sep": "~"}, 'csv: {delimiter: "~"}'),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_csv_of_any_dialect_is_the_same_table(tmp_path, dialect):
    frame = small_frame(300).assign(c=lambda frame: frame["c"].replace("red", "rötlich"))
    frame.to_csv(tmp_path / "plain.csv", index=False)
    written, source = DIALECTS[dialect]
    frame.to_csv(tmp_path / "odd.csv", index=False, **written)
    pd.testing.assert_frame_equal(rows_of(tmp_path / "odd.csv", source), rows_of(tmp_path / "plain.csv"))


def parquet_folder(frame, folder):
    (folder / "rows").mkdir()
    for part, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[rows].to_parquet(folder / "rows" / f"part-{part}.parquet")
    (folder / "rows" / "_SUCCESS").write_text("")
    return folder / "rows"


def csv_folder(frame, folder):
    (folder / "rows").mkdir()
    for part, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[rows].to_csv(folder / "rows" / f"part-{part}.csv.gz", index=False)
    return folder / "rows"


def json_lines(frame, folder):
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, frame.to_dict("records"))))
    return folder / "rows.jsonl"


def workbook(frame, folder):
    frame.to_excel(folder / "rows.xlsx", index=False)
    return folder / "rows.xlsx"


@pytest.mark.parametrize("write", [parquet_folder, csv_folder, json_lines, workbook])
def test_other_files_and_folders_are_the_same_table(tmp_path, write):
    frame = small_frame(300).round(6)  # a workbook keeps 16 digits
    frame.to_csv(tmp_path / "plain.csv", index=False)
    pd.testing.assert_frame_equal(rows_of(write(frame, tmp_path)), rows_of(tmp_path / "plain.csv"))


def test_a_database_keeps_digits_and_texts(tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute("create table rows (account integer, zip text, y text)")
        values = [(2**53 + n if n % 3 else None, f"0{n % 7}", "yes" if n % 2 else "no") for n in range(60)]
        database.executemany("insert into rows values (?, ?, ?)", values)
    case = small_use_case(tmp_path)
    source = case.source.model_copy(
        update={"tables": {}, "database": f"sqlite:///{tmp_path}/rows.db", "query": "select * from rows"}
    )
    features = case.features.model_copy(update={"numeric": [], "categorical": ["account", "zip"]})
    found = training_rows(case.model_copy(update={"source": source, "features": features}), None).to_pylist()
    assert {(row["account"], row["zip"]) for row in found} == {(n and str(n), text) for n, text, _ in values}


def test_tokens_are_missing_where_they_are_named(home, tmp_path):
    frame = small_frame(400)
    frame.loc[:49, "c"] = "?"
    frame["b"] = frame["b"].astype(str)
    frame.loc[100:149, "b"] = "n.a."
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = rows_of(tmp_path / "rows.csv", 'missing: ["?", n.a.]')
    assert found["c"].isna().sum() == found["b"].isna().sum() == 50
    contract = Contract("t", (Column("c", "categorical", nullable=True, missing=("?",)),), "y", (0, 1))
    records = Records(contract)
    read = records.read([b'{"c": "?"}', b'{"c": "??"}'])
    assert [records.fields(record) for record in read] == [{}, {"c": "??"}]
    with pytest.raises(InputError, match=r"'missing': '-999' may be a number"):
        rows_of(tmp_path / "rows.csv", 'missing: ["-999"]')


def lines(folder, *texts, encoding="utf-8"):
    (folder / "rows.csv").write_bytes("\n".join(texts).encode(encoding))
    return folder / "rows.csv"


def broken(folder):
    (folder / "rows.parquet").write_bytes(b"PAR1 and nothing")
    return folder / "rows.parquet"


def sheets(folder, *contents):
    book = openpyxl.Workbook()
    for number, rows in enumerate(contents):
        sheet = book.create_sheet() if number else book.active
        for row in rows:
            sheet.append(row)
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def dated(folder):
    days = pa.array(["2026-01-01"] * 4).cast(pa.date32())
    pq.write_table(pa.table({"a": days, "b": [1, 2, 3, 4], "c": ["r"] * 4, "y": ["yes", "no"] * 2}), folder / "rows.parquet")
    return folder / "rows.parquet"


ROW = "1,2,red,yes"
WRONG = {
    "another type late": (
        lambda folder: lines(folder, "a,b,c,y", *[ROW] * 24_998, "1,x,red,yes", ROW),
        r"source.tables.rows: line 25000, column 'b': must be a number, found 'x'",
    ),
    "another type behind a field of lines": (
        lambda folder: lines(folder, "a,b,c,y", '1,2,"r\ned",no', "x,2,red,yes"),
        "line 4, column 'a': must be a number, found 'x'",
    ),
    "a short line": (
        lambda folder: lines(folder, "a,b,c,y", ROW, "1,2,red", ROW),
        "line 3: has 3 fields where the header has 4",
    ),
    "only a header": (lambda folder: lines(folder, "a,b,c,y", ""), "has no rows"),
    "only a header, and no line break": (lambda folder: lines(folder, "a,b,c,y"), "has no rows"),
    "a long line": (lambda folder: lines(folder, "a,b,c,y", ROW, ROW + ",5"), "line 3: has 5 fields where the header has 4"),
    "one name twice": (lambda folder: lines(folder, "a,b,c,y,a", ROW + ",5"), "two columns are called 'a'"),
    "capitals only": (lambda folder: lines(folder, "a,b,c,y,A", ROW + ",5"), "'a' and 'A' differ only in capitals"),
    "two delimiters": (lambda folder: lines(folder, "a,b;c,y", "1,2;red,yes"), "both ',' and ';' may separate"),
    "an empty file": (lambda folder: lines(folder, ""), "is empty"),
    "no UTF-8": (
        lambda folder: lines(folder, "a,b,c,y", ROW, "1,2,röt,no", encoding="latin-1"),
        "line 3: byte 0xf6 is no utf-8",
    ),
    "UTF-16 without a mark": (lambda folder: lines(folder, "a,b,c,y", ROW, encoding="utf-16-le"), "utf-16-le}' reads that"),
    "a broken file": (broken, "source.tables.rows: cannot read"),
    "an empty folder": (lambda folder: folder, "must hold files of one kind"),
    "two sheets": (lambda folder: sheets(folder, [["a"], [1]], [["b"], [2]]), "sheets 'Sheet', 'Sheet1' hold something"),
    "a cell of another type": (
        lambda folder: sheets(folder, [["a", "b"], [1, 2], [1, "x"]]),
        "column 'b': row 3 is str, others are int",
    ),
    "a cell with an error": (lambda folder: sheets(folder, [["a"], ["#DIV/0!"]]), "cell A2 of sheet 'Sheet' is #DIV/0!"),
    "a date as a feature": (
        dated,
        r"column 'a' is of type DATE, which 'features.numeric' does not take; list a date or a time under 'features.d",
    ),
    "no JSON": (
        lambda folder: lines(folder, '{"a": 1}', "{").rename(folder / "rows.jsonl"),
        "line 2: is no JSON object",
    ),
    "JSON of two types": (
        lambda folder: lines(folder, '{"a": 1}', '{"a": "x"}').rename(folder / "rows.jsonl"),
        "column 'a': row 1 is str, others are int",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_read_is_told_where_and_what_would_be_right(tmp_path, wrong):
    write, told = WRONG[wrong]
    with pytest.raises(InputError, match=told):
        rows_of(write(tmp_path))


def test_a_batch_of_a_model_from_before_is_guessed_as_pandas_did(tmp_path):
    path = lines(tmp_path, "c,n", "01234,1", "7,2")
    contract = Contract(
        "t", (Column("c", "categorical", meaning=1), Column("n", "numeric", meaning=1)), "y", (0, 1), meaning=1
    )
    ((frame, _),) = Source(str(path)).chunks(contract, CsvFormat())
    assert encode(contract, frame)["c"].tolist() == ["1234", "7"]


def test_a_column_that_comes_twice_is_refused_by_invocations(model):
    protocol = MlflowScoring(model)
    split = {"dataframe_split": {"columns": ["a", "a", "c"], "data": [[1, 2, "red"]]}}
    for body, kind in ((b"a,a,c\n1,2,red\n", "text/csv"), (json.dumps(split).encode(), "application/json")):
        with pytest.raises(ContractError, match="column 'a': is there twice"):
            protocol.read(body, kind)


def test_a_column_of_nothing_is_a_column(tmp_path):
    frame = small_frame(300).assign(b=None)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        assert rows_of(tmp_path / name)["b"].isna().all()


def test_texts_mean_the_same_everywhere(tmp_path, home, untold):
    """Accents, a full stop, an emoji, 10,000 characters, what looks like a boolean or a number, and nothing at all."""
    generator = np.random.default_rng(3)
    said = ["Où est ma carte ?", "where is my card", "top up 😀", ".", "True", "0042", "NaN", "x " * 5000, 'a "b", c', None]
    texts = generator.choice(np.array(said, dtype=object), 900)
    yes = [bool(text) and "car" in text for text in texts]
    frame = pd.DataFrame({"q": texts, "a": generator.normal(size=900), "y": np.where(yes, 1, 0)})
    frame.loc[generator.random(900) < 0.1, "y"] = 1
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    features = "target: {column: y}\nfeatures: {text: [q], numeric: [a]}\nmodel: {estimator: logistic_regression}"
    contract = check(use_case(path, features), tmp_path, watched=True)
    assert contract.columns[1].kind == "text"
