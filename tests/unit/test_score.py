"""Batch scoring: rows from wherever they lie, answers to wherever they are wanted; nothing is written over."""

import json
import sqlite3
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

import tasks.scoring.files
import tasks.scoring.rows
from configs.errors import InputError
from configs.schema import CsvFormat
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.data.frames import encode, model_input
from tests.conftest import small_frame

FRAME = small_frame(25, seed=5).drop(columns="y").assign(customer=[f"00{n}" for n in range(25)], note="=1+1", n=range(25))
SELECT = "select * from rows"


def sqlite(path):
    with sqlite3.connect(path) as connection:
        FRAME.to_sql("rows", connection, index=False)
    connection.close()


def folder_of_two(path):
    path.mkdir()
    FRAME[:10].to_csv(path / "1.csv", index=False)
    FRAME[10:].to_csv(path / "2.csv", index=False)


SOURCES = {
    "rows.csv": lambda path: FRAME.to_csv(path, index=False),
    "ROWS.CSV": lambda path: FRAME.to_csv(path, index=False),
    "rows.csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "rows.tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "rows.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True, double_precision=15),
    "rows.jsonl.gz": lambda path: FRAME.to_json(path, orient="records", lines=True, double_precision=15),
    "rows.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "rows.parquet": lambda path: FRAME.to_parquet(path),
    "rows": folder_of_two,
    "rows.db": sqlite,
}
READERS = {
    "answers.csv": lambda path: pd.read_csv(path, dtype={"customer": str}),
    "answers.csv.gz": lambda path: pd.read_csv(path, dtype={"customer": str}),
    "answers.tsv": lambda path: pd.read_csv(path, dtype={"customer": str}, sep="\t"),
    "answers.jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text().splitlines())),
    "answers.xlsx": lambda path: pd.read_excel(path, dtype={"customer": str}),
    "answers.parquet": pd.read_parquet,
    "answers": pd.read_parquet,
}


@pytest.fixture
def score(built_bundle, home, quiet, monkeypatch):
    """Scores with that bundle, ten rows at a time; nobody is shown its progress."""
    monkeypatch.setattr(tasks.scoring.files, "create_progress_artifact", lambda **_: "id")
    monkeypatch.setattr(tasks.scoring.files, "update_progress_artifact", lambda *_, **__: None)
    monkeypatch.setattr(tasks.scoring.rows, "CHUNK_ROWS", 10)
    version = SimpleNamespace(version="1", bundle=SimpleNamespace(path=built_bundle[0], digest="d"))

    def scored(source, destination, query=None, explain=False):
        given = (version, str(source), str(destination), CsvFormat(), query, explain)
        return tasks.scoring.files.score_file.fn("small", *given)

    return scored


@pytest.fixture(scope="module")
def served(built_bundle):
    """What a request with these rows is answered: the probability of the second class, in 32 bits."""
    bundle = read_bundle(built_bundle[0])
    return Scorer(bundle.model, bundle.contract).outputs(model_input(encode(bundle.contract, FRAME)))[:, 1]


def same(answers, served):
    assert np.array_equal(answers["probability"].to_numpy(np.float32), served)
    assert answers["customer"].tolist() == FRAME["customer"].tolist()
    assert answers["n"].tolist() == FRAME["n"].tolist()
    assert set(answers["prediction"]) == {"no", "yes"}


@pytest.mark.parametrize("name", SOURCES)
def test_rows_are_read_from_wherever_they_lie(score, served, tmp_path, name):
    source = tmp_path / name
    SOURCES[name](source)
    location, query = (f"sqlite:///{source}", SELECT) if name.endswith(".db") else (source, None)
    assert score(location, tmp_path / "answers.parquet", query) == len(FRAME)
    same(pd.read_parquet(tmp_path / "answers.parquet"), served)


def test_reasons_are_a_column(score, served, tmp_path, built_bundle, monkeypatch):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(tasks.scoring.files, "EXPLAINED_ROWS", 7)
    score(tmp_path / "rows.parquet", tmp_path / "answers.csv", explain=True)
    answers = pd.read_csv(tmp_path / "answers.csv", dtype={"customer": str})
    same(answers, served)
    for text, probability in zip(answers["reasons"], served, strict=True):
        told = json.loads(text)
        assert 1 / (1 + np.exp(-told["base"] - sum(told["contributions"].values()))) == pytest.approx(probability, abs=1e-5)
    score(tmp_path / "rows.parquet", tmp_path / "folder")
    with pytest.raises(InputError, match="holds the answers of another file or version"):
        score(tmp_path / "rows.parquet", tmp_path / "folder", explain=True)
    without = msgspec.structs.replace(read_bundle(built_bundle[0]), reasons=b"")
    monkeypatch.setattr(tasks.scoring.files, "read_bundle", lambda _: without)
    with pytest.raises(InputError, match="--explain: version 1 gives no reasons"):
        score(tmp_path / "rows.parquet", tmp_path / "more.csv", explain=True)


@pytest.mark.parametrize("name", READERS)
def test_answers_go_to_a_folder_or_a_file_to_the_bit(score, served, tmp_path, home, name):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    assert score(tmp_path / "rows.parquet", tmp_path / name) == len(FRAME)
    answers = READERS[name](tmp_path / name)
    same(answers, served)
    assert answers["note"].tolist() == FRAME["note"].tolist()  # in a workbook it is no formula
    assert [each.name for each in tmp_path.iterdir() if "writing" in each.name] == []
    assert not list(home.rglob("part-*.parquet")), "no parts are left behind"


def test_answers_go_to_a_table_of_a_database_whole_or_not_at_all(score, served, tmp_path, monkeypatch):
    sqlite(tmp_path / "shop.db")
    shop = f"sqlite:///{tmp_path}/shop.db"
    assert score(shop, f"{shop}#answers", SELECT) == len(FRAME)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        same(pd.read_sql("select * from answers", connection), served)
        with pytest.raises(InputError, match=r"shop.db#answers': the table is there already; name another, or drop it"):
            score(shop, f"{shop}#answers", SELECT)
        same(pd.read_sql("select * from answers", connection), served)

        written = pd.DataFrame.to_sql
        asked = []

        def breaks(frame, *arguments, **options):
            asked.append(written(frame, *arguments, **options))
            if len(asked) == 2:
                raise OSError("no space left on device")

        monkeypatch.setattr(pd.DataFrame, "to_sql", breaks)
        with pytest.raises(OSError, match="no space"):
            score(shop, f"{shop}#more", SELECT)
        assert connection.execute("select name from sqlite_master where name = 'more'").fetchall() == []
    connection.close()


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("there.csv", "there.csv': is there already; name another, or remove it"),
        ("full", "is not empty; name another folder"),
        ("sqlite:////nowhere/at/all.db#answers", "unable to open database file"),
    ],
)
def test_nothing_that_is_there_is_written_over(score, tmp_path, destination, told):
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InputError, match=told):
        score(tmp_path / "rows.csv", destination if "#" in destination else tmp_path / destination)
    assert (tmp_path / "there.csv").read_text() == (tmp_path / "full" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("source", "query", "told"),
    [
        ("nowhere.csv", None, "nowhere.csv': no such file"),
        ("rows.doc", None, "is neither CSV"),
        ("sqlite:///{folder}/none.db", "select * from rows", "no such table: rows"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_error(score, tmp_path, source, query, told):
    (tmp_path / "rows.doc").write_text("a,b,c")
    location = source.format(folder=tmp_path) if query else tmp_path / source
    with pytest.raises(InputError, match=told):
        score(location, tmp_path / "answers.csv", query)
    assert not (tmp_path / "answers.csv").exists()


def test_a_wrong_row_is_named_and_no_file_is_made(score, tmp_path):
    wrong = FRAME.astype({"a": object})
    wrong.loc[17, "a"] = "much"
    wrong.to_csv(tmp_path / "rows.csv", index=False)
    wrong.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    for name, told in (("rows.csv", r"row 17, column 'a'"), ("rows.jsonl", r"column 'a': row .* is str, others are float")):
        with pytest.raises(InputError, match=told):
            score(tmp_path / name, tmp_path / "answers.csv")
        assert not (tmp_path / "answers.csv").exists()


@pytest.mark.parametrize("destination", ["answers", "answers.csv"])
def test_a_stopped_run_goes_on_behind_its_last_part(score, served, tmp_path, monkeypatch, destination):
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    written, stopped = tasks.scoring.files._write, []

    def stops(part, *rest):
        if part.name == "part-00002.parquet" and not stopped:
            stopped.append(part)
            raise KeyboardInterrupt
        written(part, *rest)

    monkeypatch.setattr(tasks.scoring.files, "_write", stops)
    with pytest.raises(KeyboardInterrupt):
        score(tmp_path / "rows.csv", tmp_path / destination)
    before = {each: each.stat().st_mtime_ns for each in stopped[0].parent.glob("part-*.parquet")}
    assert len(before) == 2
    seen = []
    monkeypatch.setattr(tasks.scoring.files, "_write", lambda part, *rest: (seen.append(part.name), written(part, *rest)))
    assert score(tmp_path / "rows.csv", tmp_path / destination) == len(FRAME)
    assert seen == ["part-00002.parquet"]
    same(READERS[destination](tmp_path / destination), served)


def test_a_query_is_asked_anew_and_its_rows_are_never_mixed(score, tmp_path):
    sqlite(tmp_path / "shop.db")
    shop = f"sqlite:///{tmp_path}/shop.db"
    assert score(shop, tmp_path / "answers", SELECT) == len(FRAME)
    with pytest.raises(InputError, match="holds rows that the query gave before; name another folder"):
        score(shop, tmp_path / "answers", SELECT)
