"""Folders of files that grow: one table whatever their kind, read whole, and remembered by what was read."""

import hashlib
from types import SimpleNamespace

import pandas as pd
import pytest

import tasks.data.files
from configs.errors import InputError
from configs.load import parse_use_case
from tasks.data.files import read_file
from tasks.data.ingest import ingest
from tasks.data.source import Seen, training_rows
from tasks.registry.lineage import lineage
from tests.conftest import SMALL, chain, small_frame


def case_of(path):
    return parse_use_case(SMALL.format(path=path), "small.yaml")


def rows_of(path):
    return training_rows(case_of(path), None).to_pandas()


def csv_folder(frame, folder):
    (folder / "rows").mkdir()
    for part in range(3):
        frame.iloc[part::3].to_csv(folder / "rows" / f"part-{part}.csv.gz", index=False)
    return folder / "rows"


GROWN = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "parquet": lambda frame, path: frame.to_parquet(path),
    "xlsx": lambda frame, path: frame.to_excel(path, index=False),
}


@pytest.fixture(params=GROWN)
def grown(request, tmp_path):
    """A folder with one file, and a function that puts a further one there under a name."""
    (tmp_path / "rows").mkdir()

    def put(name, frame):
        GROWN[request.param](frame, tmp_path / "rows" / f"{name}.{request.param}")
        return f"{name}.{request.param}"

    put("1", small_frame(60))
    return tmp_path / "rows", put


def test_a_folder_that_grows_has_the_new_rows(grown):
    folder, put = grown
    assert len(rows_of(folder)) == 60
    put("2", small_frame(30, seed=1)[["y", "c", "b", "a"]])
    assert len(rows_of(folder)) == 90


def test_a_column_that_one_file_has_alone_is_told_whatever_its_kind(grown):
    folder, put = grown
    name = put("2", small_frame(30, seed=1).assign(new=1))
    with pytest.raises(
        InputError, match=rf"source.tables.rows: {name}: has a column 'new' that '1\..*' does not have; .*union all"
    ):
        rows_of(folder)
    put("2", small_frame(30, seed=1).rename(columns={"b": "B"}))
    with pytest.raises(InputError, match=rf"{name}: has a column 'B' that '1\..*' does not have"):
        rows_of(folder)
    put("2", small_frame(30, seed=1).drop(columns="b"))
    with pytest.raises(InputError, match=rf"{name}: lacks the column 'b' that '1\..*' has"):
        rows_of(folder)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_column_of_another_type_is_told_by_file_and_column(tmp_path, suffix):
    for name, values in {"1": [1, 2], "2": [1.5, None], "3": ["x", "y"]}.items():
        GROWN[suffix](pd.DataFrame({"a": values}), tmp_path / f"{name}.{suffix}")
    with pytest.raises(InputError, match=rf"rows: 3.{suffix}: column 'a' holds .*string, in the files before it double"):
        read_file("rows", str(tmp_path))


def test_files_that_are_still_written_are_passed_over_and_told_once(tmp_path, caplog):
    folder = csv_folder(small_frame(60), tmp_path)
    for name in ("next.csv.part", "b.csv.tmp", "c.CRDOWNLOAD", "d.partial", "_e.part", ".f.tmp"):
        (folder / name).write_text("half a")
    assert len(rows_of(folder)) == len(rows_of(folder)) == 60
    (line,) = [record.getMessage() for record in caplog.records]
    assert "b.csv.tmp, c.CRDOWNLOAD, d.partial and 1 more not read" in line
    seen = Seen()
    training_rows(case_of(folder), None, seen)
    assert [told for told in seen.told if "d.partial and 1 more not read" in told] == seen.told
    assert len(caplog.records) == 1


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_that_is_changed_while_it_is_read_is_told(grown, monkeypatch, alone):
    folder, put = grown
    last = folder / put("2", small_frame(30, seed=1))
    location = last if alone else folder
    read = tasks.data.files._contents

    def meanwhile(*arguments):
        contents = read(*arguments)
        with last.open("ab") as file:
            file.write(b"more")
        return contents

    monkeypatch.setattr(tasks.data.files, "_contents", meanwhile)
    with pytest.raises(InputError, match=r"source.tables.rows.*: was changed while it was read; run again"):
        rows_of(location)


def test_a_new_file_that_comes_while_a_folder_is_read_is_the_next_reading_s(tmp_path, monkeypatch):
    folder = csv_folder(small_frame(60), tmp_path)
    read = tasks.data.files._contents

    def meanwhile(*arguments):
        (folder / "part-9.csv").write_bytes((tmp_path / "more.csv").read_bytes())
        return read(*arguments)

    small_frame(30, seed=1).to_csv(tmp_path / "more.csv", index=False)
    monkeypatch.setattr(tasks.data.files, "_contents", meanwhile)
    assert len(rows_of(folder)) == 60
    monkeypatch.undo()
    assert len(rows_of(folder)) == 90


def test_keys_of_folders_are_columns_whatever_else_is_in_them(tmp_path):
    for day in (1, 2):
        (tmp_path / "rows" / f"day={day}").mkdir(parents=True)
        small_frame(30, seed=day).to_parquet(tmp_path / "rows" / f"day={day}" / "part.parquet")
    (tmp_path / "rows" / "day=2" / "more.parquet.part").write_text("half")
    assert rows_of(tmp_path / "rows")["day"].value_counts().to_dict() == {1: 30, 2: 30}


def test_a_snapshot_says_which_files_it_was_read_from(tmp_path, home, quiet):
    folder = csv_folder(small_frame(600), tmp_path)
    case = case_of(folder)
    snapshot, contract, parts, _ = chain(case)
    names = [f"part-{n}.csv.gz" for n in range(3)]
    files = {"rows": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}}
    assert snapshot.files == files
    assert "files" not in snapshot.model_dump(), "what was made of the same rows is made of it"
    onnx = SimpleNamespace(digest="d", variant="")
    assert lineage(case, parts, None, contract, onnx, files=snapshot.files)["files"] == files
    small_frame(600).to_csv(tmp_path / "rows.csv", index=False)
    alone = ingest.fn(case_of(tmp_path / "rows.csv"), None)
    assert list(alone.files["rows"]) == ["rows.csv"]
    assert alone == snapshot
