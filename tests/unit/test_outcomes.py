"""Outcomes as tables say them: the last word of each prediction, every dialect, and what is wrong at its place."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.schema import CsvFormat
from serving.contract.contract import Contract
from tasks.data.places import places
from tasks.log.outcomes import Columns, read_outcomes
from tests.conftest import small_use_case

CLASSES = Contract("small", (), "y", ("no", "yes", "TRUE"))
MEASURED = Contract("small", (), "minutes", (), problem="regression")


@pytest.fixture
def case(tmp_path):
    return small_use_case(tmp_path)


def dialect(case, **form):
    return case.model_copy(update={"source": case.source.model_copy(update={"csv": CsvFormat(**form), "missing": ["?"]})})


def test_the_use_case_s_dialect_and_what_is_missing_are_read(case, tmp_path):
    (tmp_path / "l.csv").write_text("prediction_id;label;cost\n007;1,5;?\nb;1.500;2,5\nc;?;x\n", encoding="utf-16")
    with pytest.raises(InputError) as told:
        read_outcomes(dialect(case, decimal=","), MEASURED, str(tmp_path / "l.csv"))
    first, *lines = str(told.value).splitlines()
    assert first.endswith("2 of 3 rows are wrong, so nothing was sent")
    assert lines == [
        "  line 3, column 'label': must be a finite number with a decimal comma, found '1.500'",
        "  line 4, column 'cost': 'x' is no finite number, as a KPI is",
    ]
    (tmp_path / "l.csv").write_text("prediction_id;label;cost\n007;1,5;?\nc;?;2,5\n")
    found = read_outcomes(dialect(case, decimal=","), MEASURED, str(tmp_path / "l.csv"))
    assert found.told == [{"prediction_id": "007", "label": 1.5}, {"prediction_id": "c", "kpis": {"cost": 2.5}}]


def test_a_class_is_the_text_that_it_is(case, tmp_path):
    (tmp_path / "l.csv").write_text("prediction_id,label\na,TRUE\nb,yes\n")
    assert [each["label"] for each in read_outcomes(case, CLASSES, str(tmp_path / "l.csv")).told] == ["TRUE", "yes"]


def test_many_wrong_rows_are_counted_and_the_first_are_shown(case, tmp_path):
    (tmp_path / "l.csv").write_text("prediction_id,label\n" + "a,perhaps\n" * 25_000 + "a,yes\n")
    with pytest.raises(InputError, match="25,000 of 25,001 rows are wrong") as told:
        read_outcomes(case, CLASSES, str(tmp_path / "l.csv"))
    lines = str(told.value).splitlines()
    assert lines[1] == "  line 2, column 'label': 'perhaps' is not one of 'no', 'yes', 'TRUE'"
    assert (len(lines), lines[-1]) == (12, "  ...")


@pytest.mark.parametrize(
    ("name", "odd", "told"),
    [
        ("prediction_id", "x" * 101, "is no id of a prediction"),
        ("prediction_id", [1], "is no id of a prediction"),
        ("label", [1], "is no label"),
        ("cost", 1e301, "is no finite number"),
        ("cost", {"a": 1}, "is no finite number"),
    ],
)
def test_what_no_server_takes_is_told_before(case, tmp_path, name, odd, told):
    (tmp_path / "l.jsonl").write_text(json.dumps({"prediction_id": "a", "label": "yes", "cost": 1} | {name: odd}))
    with pytest.raises(InputError, match=f"line 1, column '{name}'.*{told}"):
        read_outcomes(case, CLASSES, str(tmp_path / "l.jsonl"))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("prediction_id", "neither a column 'label' nor one of a KPI"),
        ("prediction_id,labels", "no column 'label' of labels"),
        ("prediction_id,y", "no column 'label' of labels"),
        ("prediction_id,latency_p99", "'latency_p99' is a KPI of the service itself"),
        ("prediction_id," + ",".join(f"k{n}" for n in range(21)), "has 21 columns of KPIs"),
    ],
)
def test_columns_that_cannot_be_are_told(case, tmp_path, header, told):
    (tmp_path / "l.csv").write_text(header + "\n" + ",".join("1" * len(header.split(","))) + "\n")
    with pytest.raises(InputError, match=told):
        read_outcomes(case, CLASSES, str(tmp_path / "l.csv"))


def test_a_row_of_a_folder_or_a_sheet_has_its_place(case, tmp_path):
    frame = pd.DataFrame({"prediction_id": ["a", "b", "c"], "label": ["yes", None, "perhaps"]})
    for name, write in {"csv": "to_csv", "xlsx": "to_excel", "parquet": "to_parquet"}.items():
        (tmp_path / name).mkdir()
        for part in (0, 1):
            getattr(frame, write)(tmp_path / name / f"{part}.{name}", index=False)
    place = {"csv": "line 4", "xlsx": "row 4", "parquet": "row 2"}
    for name in place:
        with pytest.raises(InputError) as told:
            read_outcomes(case, CLASSES, str(tmp_path / name))
        assert f"0.{name}: {place[name]}, column 'label'" in str(told.value)
        assert f"1.{name}: {place[name]}, column 'label'" in str(told.value)


ROW = st.tuples(st.sampled_from("abc"), st.sampled_from(["yes", "no", None]), st.sampled_from([1.5, 2, None]))


@given(rows=st.lists(ROW))
def test_of_each_prediction_the_last_word_counts(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    lines = [json.dumps({"id": name, "truth": label, "cost": cost}) for name, label, cost in rows]
    (folder / "l.jsonl").write_text("\n".join([*lines, '{"id": "z", "truth": null, "cost": null}']))
    found = read_outcomes(small_use_case(folder), CLASSES, str(folder / "l.jsonl"), None, Columns("id", "truth"))
    for each in found.told:
        said = [(label, cost) for name, label, cost in rows if name == each["prediction_id"]]
        labels, costs = [label for label, _ in said if label], [cost for _, cost in said if cost]
        assert each.get("label") == (labels[-1] if labels else None)
        assert each.get("kpis", {}).get("cost") == (costs[-1] if costs else None)
    assert len(found.told) + found.again + found.empty == len(rows) + 1


@given(texts=st.lists(st.text('a\n\r",; x', min_size=1), min_size=1, max_size=8))
def test_a_row_s_place_is_the_line_it_ends_on(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with path.open("w", newline="") as file:
        file.write("a\n" + "".join('"' + text.replace('"', '""') + '"\n' for text in texts))
    found = places(str(path), range(len(texts)), CsvFormat(delimiter=","))
    ends, line = [], 1
    for text in texts:
        line += len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        ends.append(f"line {line}")
    assert list(found.values()) == ends
