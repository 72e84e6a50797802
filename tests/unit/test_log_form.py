"""A log is older than its server: what was logged in the first form is read, compacted and erased like today's."""

from typing import Any

import msgspec
import pytest

from configs.settings import prediction_log
from serving.log.segment import log_key
from serving.log.writer import FORM, Feedback, Prediction, PredictionLog
from tasks.log.compact import compact
from tasks.log.erase import erase, parse_condition
from tasks.log.files import PARQUET, connect, parts, read_part, write_part
from tasks.log.read import open_log
from tasks.log.values import Bounds
from tasks.log.verify import verify
from tasks.log.windows import read_window
from tests.conftest import RICH, small_use_case

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Before(msgspec.Struct, frozen=True, tag_field="kind", tag="prediction", gc=False, omit_defaults=True):
    """A prediction's record of the first form, as servers wrote it."""

    prediction_id: str
    time: str
    event_time: str
    model_version: str
    release: str
    variant: str
    caller: str
    features: Any
    prediction: str | int | bool
    probabilities: list[float]
    latency_us: int
    request_digest: str
    place: int = 0


def predictions(kind, numbers):
    made = []
    for n in numbers:
        moment, features = f"2026-01-01T00:00:{n:02d}.000000Z", {"a": 1.0, "c": "red", "customer": n}
        made.append(kind(f"p{n}", moment, moment, "1", "r", "champion", "shop", features, "yes", [0.4, n / 100], 10, "d"))
    return made


def rows():
    with open_log("small") as log:
        query = "select prediction_id, prediction, output, form from log where kind = 'prediction' order by prediction_id"
        return log.sql(query).fetchall()


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def log(home, monkeypatch, request):
    if request.param:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    made = PredictionLog(prediction_log("small"), log_key())
    yield made
    made.close()


def age(part):
    """Make of a part what a compaction of the first form wrote."""
    connection, memory = connect()
    with connection:
        memory.pipe("/part", read_part(part))
        old = "select * exclude (output, form), output as probabilities from read_parquet('memory:///part')"
        connection.execute(f"copy ({old} order by bucket, time) to 'memory:///old' {PARQUET}")
        write_part(part, memory.cat("/old"))


def test_both_forms_are_one_log_whatever_file_they_lie_in(log, tmp_path):
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})
    log.append(predictions(Before, range(4)))
    log.append([Feedback("p1", "2026-01-02T00:00:00.000000Z", "yes", "shop")])
    log.close()
    wanted = [(f"p{n}", "yes", [0.4, n / 100], None) for n in range(4)]
    assert rows() == wanted  # segments of the first form only
    assert compact("small").records == 5
    assert rows() == wanted
    for part in parts(prediction_log("small")):
        age(part)
    assert rows() == wanted  # parts of the first form only
    log.append(predictions(Before, [4]))
    log.append(predictions(Prediction, [5]))
    log.close()
    wanted += [("p4", "yes", [0.4, 0.04], None), ("p5", "yes", [0.4, 0.05], FORM)]
    assert rows() == wanted  # both, in a segment beside parts
    window = read_window(case, Bounds(name="w", start="0", end="6"))
    assert window.table["probability"].to_pylist() == [n / 100 for n in range(6)]
    assert window.table["label"].to_pylist() == [None, "yes", None, None, None, None]
    compact("small")
    assert rows() == wanted
    assert read_window(case, Bounds(name="w", start="0", end="6")).table.equals(window.table)
    assert not [state for state in verify("small") if state.damaged]
    assert erase("small", [parse_condition("customer=1", case)], "asked").predictions == 1
    assert rows() == [wanted[0], *wanted[2:]]
