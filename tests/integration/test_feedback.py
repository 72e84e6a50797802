"""`slipway feedback`: labels and numbers from any source reach the prediction log, and a wrong row changes nothing."""

import json
import sqlite3

import httpx
import pandas as pd
import pytest

from configs.errors import CheckFailed
from console.commands.feedback import BATCH, Sent, send, summary
from tasks.deploying.keys import internal_headers
from tasks.log.outcomes import Outcomes
from tasks.log.read import TEST_CALLER, open_log
from tasks.log.standing import standing
from tasks.routing.gateway import address

IDS = ["told-1", "told-2", "told-3"]
FRAME = pd.DataFrame({"prediction_id": IDS, "label": [1, 0, None], "cost": [2.5, None, None]}).astype({"label": "Int64"})


@pytest.fixture(scope="module")
def asked(served):
    """Three predictions that are no traffic."""
    body = {"records": [served.record] * 3, "prediction_ids": IDS}
    httpx.post(f"{address('loans')}/predict", json=body, headers=internal_headers("loans", TEST_CALLER)).raise_for_status()


def told():
    with open_log("loans") as log:
        query = "select prediction_id, label, kpis from log where kind = 'feedback' and caller = 'feedback' order by all"
        return [(name, json.loads(label), kpis) for name, label, kpis in log.sql(query).fetchall()]


def test_wrong_rows_are_named_and_nothing_is_told(served, asked, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text('prediction_id,label,cost\ntold-1,1,"a\nb"\ntold-2,perhaps,1\n,1,2\ntold-3,1,inf\n')
    output = served.told("feedback", "loans", str(path))
    assert "4 of 4 rows are wrong, so nothing was sent" in output
    assert "line 3, column 'cost': 'a\\nb' is no finite number" in output
    assert "line 4, column 'label': 'perhaps' is not one of 0, 1" in output
    assert "line 5, column 'prediction_id': is missing" in output
    assert "line 6, column 'cost': 'inf' is no finite number" in output
    assert "Traceback" not in output
    assert told() == []


def test_columns_are_named_and_those_that_are_there_are_listed(served, asked, tmp_path):
    path = tmp_path / "named.csv"
    path.write_text("application,approve\ntold-1,1\n")
    output = served.told("feedback", "loans", str(path))
    assert "has no column 'prediction_id' of prediction ids; '--id' names it: 'application', 'approve'" in output
    output = served.told("feedback", "loans", str(path), "--id", "application")
    assert "has no column 'label' of labels; '--label' names it: 'application', 'approve'" in output
    path.write_text("prediction_id,Cost\ntold-1,1\n")
    assert "column 'Cost' cannot be a KPI: small letters" in served.told("feedback", "loans", str(path))
    assert "nor a database's address with '--query'" in served.told("feedback", "loans", "sqlite:///labels.db")
    assert told() == []


def folder(frame, path):
    path.mkdir()
    frame[:1].to_csv(path / "1.csv", index=False)
    frame[1:].to_csv(path / "2.csv", index=False)


def sqlite(frame, path):
    with sqlite3.connect(path) as database:
        frame.rename(columns={"label": "truth"}).to_sql("decided", database, index=False)
    database.close()


SOURCES = {
    "labels.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "labels.parquet": lambda frame, path: frame.to_parquet(path),
    "labels.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "labels.xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "labels": folder,
    "labels.db": sqlite,
}


@pytest.mark.parametrize("name", SOURCES)
def test_labels_and_numbers_of_any_source_are_logged(served, asked, tmp_path, name):
    path, before = tmp_path / name, len(told())
    SOURCES[name](FRAME, path)
    database = [f"sqlite:///{path}", "--query", "select * from decided", "--label", "truth"]
    output = served.told("feedback", "loans", *(database if name == "labels.db" else [str(path)]), status=0)
    assert "Told of 2 predictions: 2 labels, 1 number\n1 row said nothing\n" in output
    assert "not there" not in output
    assert "slipway monitor loans" in output
    new = told()
    assert len(new) == before + 2
    assert {(name, label) for name, label, _ in new} == {("told-1", 1), ("told-2", 0)}


def test_strangers_changes_and_what_is_said_twice_are_told(served, asked, tmp_path):
    path = tmp_path / "again.csv"
    path.write_text("prediction_id,label\ntold-3,1\ntold-2,0\n")
    served.told("feedback", "loans", str(path), status=0)
    path.write_text("prediction_id,label\ntold-3,1\nnobody's,1\ntold-2,0\ntold-3,0\n")
    output = served.told("feedback", "loans", str(path), status=0)
    assert "1 row told again of a prediction, and the last word of each counts" in output
    assert "Known in this home's log: 2; not there: 1, for example \"nobody's\"" in output
    assert "Of labels from before, 1 changed and 1 stayed as they were" in output
    with open_log("loans") as log:
        query = "select arg_max(label, time) from log where kind = 'feedback' and prediction_id = 'told-3'"
        assert log.sql(query).fetchall() == [("0",)]


def test_a_server_that_stops_half_way_is_one_line_and_the_rest_is_sent_again(serve):
    server = serve()
    outcomes = [{"prediction_id": f"p{n}", "label": "yes", "kpis": {"cost": n}} for n in range(3 * BATCH)]
    with pytest.raises(CheckFailed, match=r"500 of 1,500 predictions told, then no answer from .* is safe") as caught:
        send(server.client, outcomes, lambda done: server.kill())
    assert "\n" not in str(caught.value)
    done = []
    send(serve().client, outcomes, done.append)
    assert done == [500, 1000, 1500]
    found = standing("small", outcomes)
    assert (found.known, found.stranger, found.changed, found.same) == (0, "p0", 0, 1500)
    with pytest.raises(CheckFailed, match=r"0 of 1 predictions told, then the server answered 422: .*maybe"):
        send(serve().client, [{"prediction_id": "p", "label": "maybe"}], done.append)


def test_a_log_that_cannot_be_read_is_told_in_the_summary():
    lines = list(summary(Sent(Outcomes([{"prediction_id": "a", "label": 1}], 0, 0), CheckFailed("the key is another one"))))
    assert lines == ["Told of 1 prediction: 1 label, 0 numbers", "Which of them are known is not: the key is another one"]
