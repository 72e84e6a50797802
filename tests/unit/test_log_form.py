"""A log is older than its server: what was logged in the first form is read, compacted and erased like today's."""

from typing import Any

import msgspec
import pytest

from configs.settings import prediction_log
from serving.log.segment import log_key
from serving.log.writer import FORM, Feedback, Prediction, PredictionLog, Shadow
from tasks.log.compact import compact
from tasks.log.conditions import parse_condition
from tasks.log.erase import erase
from tasks.log.files import PARQUET, connect, parts, read_part, write_part
from tasks.log.read import find_prediction, open_log
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


class Second(msgspec.Struct, frozen=True, tag_field="kind", tag="prediction", gc=False, omit_defaults=True):
    """A prediction's record of the second form, which knew no traffic plan."""

    prediction_id: str
    time: str
    event_time: str
    model_version: str
    release: str
    variant: str
    caller: str
    features: Any
    prediction: str | int | bool | float | None
    output: list[float]
    latency_us: int
    request_digest: str
    place: int = 0
    form: int = msgspec.field(default_factory=lambda: 2)


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
        new = "output, form, plan, assigned, fallback"
        old = f"select * exclude ({new}), output as probabilities from read_parquet('memory:///part')"
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


def test_the_second_form_is_a_log_without_a_plan(log, tmp_path):
    case = small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})
    exposure = "select prediction_id, form, plan, assigned, fallback, variant from log order by prediction_id, kind"
    log.append(predictions(Second, range(3)))
    log.close()
    old = [(f"p{n}", 2, None, None, None, "champion") for n in range(3)]
    for step in (lambda: None, lambda: compact("small")):
        step()
        with open_log("small") as found:
            assert found.sql(exposure).fetchall() == old
    (new,) = predictions(Prediction, [4])
    moment = new.time
    told = {"plan": "stage-1", "assigned": "challenger", "fallback": "late"}
    log.append([msgspec.structs.replace(new, **told)])
    log.append([Shadow("p2", moment, moment, "2", "r2", "shop", "no", [0.6, 0.4], 9, "stage-1", "candidate")])
    log.close()
    wanted = [*old, ("p2", FORM, "stage-1", "candidate", None, "shadow")]
    wanted.append(("p4", FORM, "stage-1", "challenger", "late", "champion"))
    for step in (lambda: None, lambda: compact("small")):
        step()
        with open_log("small") as found:
            assert found.sql(exposure).fetchall() == wanted
        window = read_window(case, Bounds(name="w", start="0", end="4"))
        assert window.table["prediction_id"].to_pylist() == ["p0", "p1", "p2", "p4"], "a shadow is no traffic"
        assert window.requests == 4
    assert not [state for state in verify("small") if state.damaged]
    done = erase("small", [parse_condition("customer=2", case)], "asked")
    assert (done.predictions, done.shadows) == (1, 1)
    with open_log("small") as found:
        assert found.sql(exposure).fetchall() == [*wanted[:2], wanted[4]]
    assert find_prediction("small", "p2") == set()
