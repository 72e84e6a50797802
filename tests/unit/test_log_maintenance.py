"""Compaction, verification, erasure and retention of a prediction log whose server goes on writing."""

import json
import os
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log, store
from serving.log.segment import groups
from serving.log.writer import Feedback, Prediction, PredictionLog, Refused, Sensitive
from tasks.history import read_history
from tasks.log.collected import keep_window
from tasks.log.compact import compact, rotate
from tasks.log.conditions import Condition, matching, parse_condition
from tasks.log.erase import erase
from tasks.log.files import parts, segments
from tasks.log.read import open_log
from tasks.log.retain import drop_old
from tasks.log.verify import verify
from tests.conftest import RICH, small_use_case

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def prediction(number, day=1, customer=None, features=None):
    time = f"2026-01-{day:02d}T00:00:{number % 60:02d}.000000Z"
    record = features or {"a": 1.0 * number, "c": "red", "customer": customer}
    return Prediction(f"p{number:03d}", time, time, "1", "r", "champion", "shop", record, "yes", [0.4, 0.6], 10, "d")


def label(number, value="yes"):
    return Feedback(f"p{number:03d}", "2026-01-09T00:00:00.000000Z", value, "shop")


def rows(query="select kind, count(*) from log group by kind order by kind"):
    with open_log("small") as log:
        return log.execute(query).fetchall()


@pytest.fixture
def log(home):
    made = PredictionLog(prediction_log("small"))
    yield made
    made.close()


@pytest.fixture
def case(home, tmp_path):
    return small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": RICH})


def test_what_is_read_is_the_same_before_and_after(log):
    everything = "select * from log order by kind, prediction_id, time, label"
    log.append([prediction(n, day=1 + n % 3) for n in range(30)])
    log.append([label(3), label(3, "no")])
    before = rows(everything)
    assert compact("small").open == 1  # the server writes to it still
    rotate_and_compact(log)
    assert segments(prediction_log("small")) == []
    assert [part.parent.name for part in parts(prediction_log("small"))] == [f"day=2026-01-0{n}" for n in (1, 2, 3, 9)]
    assert rows(everything) == before
    log.append([prediction(99)])
    assert len(rows(everything)) == len(before) + 1


def rotate_and_compact(log):
    (prediction_log("small") / "rotate").touch()
    log.tick()
    return compact("small")


def test_a_torn_tail_is_cut_and_said(log):
    log.append([prediction(n) for n in range(3)])
    os.write(log._file, b'{"kind":"prediction","prediction_id":"torn')
    assert rows() == [("prediction", 3), (None, 1)]
    (state,) = verify("small")
    assert (state.records, state.note) == (3, "is being written to")
    log.close()
    (state,) = verify("small")
    assert "bytes torn by a crash, never answered" in state.note
    done = compact("small")
    assert (done.records, done.torn_bytes) == (3, 42)
    assert rows() == [("prediction", 3)]
    assert read_history("small", "log-torn")[0]["bytes"] == 42


def test_a_damaged_segment_is_named_and_left_alone(log):
    log.append([prediction(1)])
    log.append([prediction(2)])
    log.close()
    (segment,) = segments(prediction_log("small"))
    content = segment.read_bytes().replace(b"p001", b"p009", 1)
    segment.write_bytes(content)
    done = compact("small")
    assert (done.segments, len(done.damaged)) == (0, 1)
    assert f"{segment.name}: the group at byte 0 is not what was written" in done.damaged[0]
    assert segment.read_bytes() == content
    assert verify("small")[0].damaged


def test_a_compaction_killed_before_the_swap_is_done_again(log, monkeypatch):
    import tasks.log.compact

    log.append([prediction(n) for n in range(5)])
    log.close()

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tasks.log.compact, "swapping", killed)
        with pytest.raises(KeyboardInterrupt):
            compact("small")
    assert list(prediction_log("small").glob("compacted/day=*/*.parquet"))
    assert rows() == [("prediction", 5)]
    compact("small")
    assert rows() == [("prediction", 5)]


def test_an_encrypted_log_is_read_compacted_and_verified_with_its_key(home, monkeypatch):
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    log = PredictionLog(prediction_log("small"), bytes(range(32)))
    log.append([prediction(n) for n in range(4)])
    log.close()
    assert rows() == [("prediction", 4)]
    assert compact("small").records == 4
    (part,) = parts(prediction_log("small"))
    assert part.suffix == ".sealed"
    assert b"PAR1" not in part.read_bytes()
    assert rows() == [("prediction", 4)]
    assert [state.damaged for state in verify("small")] == [False]
    monkeypatch.delenv("SLIPWAY_LOG_KEY")
    with pytest.raises(CheckFailed, match="set SLIPWAY_LOG_KEY"):
        rows()


def test_a_damaged_part_is_named(log):
    log.append([prediction(n) for n in range(50)])
    log.close()
    compact("small")
    (part,) = parts(prediction_log("small"))
    written = part.read_bytes()
    for place in range(0, len(written), 97):
        content = bytearray(written)
        content[place] ^= 0x01
        part.write_bytes(content)
        (state,) = verify("small")
        assert state.damaged, (place, state)
    part.write_bytes(written)
    assert [(state.damaged, state.records) for state in verify("small")] == [(False, 50)]


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("policy", ["keep", "hash"])
def test_one_subject_is_erased_everywhere_and_nobody_else(case, home, monkeypatch, encrypted, policy):
    if encrypted:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    from serving.log.segment import log_key
    from tasks.log.keys import pepper

    guard = Sensitive(["c"], policy, pepper("small").encode())
    log = PredictionLog(prediction_log("small"), log_key())
    for number in range(20):
        features = {"a": 1.0, "c": f"c{number % 4}", "customer": number % 5}
        log.append([prediction(number, day=1 + number % 2, features=guard.guard(features))])
    log.append([label(number) for number in range(20)])
    log.append([Refused("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z", 422, "a", "shop", 3)])
    window = store("windows") / "w.parquet"
    pq.write_table(pq.ParquetFile(snapshot_of_ids(["p002", "p003"])).read(), window)
    rotate_and_compact(log)
    conditions = [parse_condition("customer=2", case), parse_condition("c=c2", case)]
    assert sorted(matching("small", conditions)) == ["p002"]
    done = erase("small", [parse_condition("customer=2", case)], "asked")
    assert (done.predictions, done.labels, done.windows) == (4, 4, 1)
    assert not window.exists()
    assert rows() == [("feedback", 16), ("prediction", 16), ("refused", 1)]
    left = {row[0] for row in rows("select prediction_id from log where prediction_id is not null")}
    assert left == {f"p{number:03d}" for number in range(20) if number % 5 != 2}
    (entry,) = read_history("small", "log-erasure")
    assert entry["reason"] == "asked"
    assert "customer" in entry["where"]
    assert entry["where"]["customer"].startswith("hmac:")
    for path in prediction_log("small").rglob("*"):
        assert not path.is_file() or b"p002" not in path.read_bytes()
    log.close()


def snapshot_of_ids(ids):
    import io

    import pyarrow as pa

    buffer = io.BytesIO()
    pq.write_table(pa.table({"prediction_id": ids}), buffer)
    buffer.seek(0)
    return buffer


def test_erasure_says_when_something_is_left(log, case):
    log.append([prediction(1, customer=7)])
    with pytest.raises(CheckFailed, match="1 matches are in segments still"):
        erase("small", [Condition("customer", "7")], "asked")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer", "write FIELD=VALUE, for example customer=42"),
        ("customer=", "write FIELD=VALUE"),
        ("custmer=4", "the log has no field 'custmer'; did you mean 'customer'?"),
    ],
)
def test_a_condition_that_is_none_is_told(case, text, told):
    with pytest.raises(InputError) as caught:
        parse_condition(text, case)
    assert told in str(caught.value)


def test_rotation_that_a_server_does_not_follow_is_told(log, monkeypatch):
    import tasks.log.compact

    monkeypatch.setattr(tasks.log.compact, "ROTATION_SECONDS", 0.2)
    log.append([prediction(1)])
    with pytest.raises(CheckFailed, match="does not let go of it"):
        rotate("small")


def test_old_days_go(log, case):
    log.append([prediction(n, day=1 + n) for n in range(6)])
    log.close()
    compact("small")
    kept = case.model_copy(update={"log": case.log.model_copy(update={"keep": timedelta(days=3)})})
    assert drop_old(case, datetime(2026, 1, 6, 12, tzinfo=UTC)) == []
    assert drop_old(kept, datetime(2026, 1, 6, 12, tzinfo=UTC)) == ["2026-01-01", "2026-01-02"]
    assert rows("select min(time)::date::varchar from log") == [("2026-01-03",)]
    assert drop_old(kept, datetime(2026, 1, 6, 12, tzinfo=UTC)) == []
    assert len(read_history("small", "log-retention")) == 1


def test_windows_of_another_use_case_stay(log, case):
    """However old they are, and even where a prediction of theirs has the same id."""
    table = pq.ParquetFile(snapshot_of_ids(["p001"])).read()
    windows = {name: store("windows") / f"{keep_window(name, table)}.parquet" for name in ("small", "other")}
    for window in windows.values():
        os.utime(window, (0, 0))
    kept = case.model_copy(update={"log": case.log.model_copy(update={"keep": timedelta(days=3)})})
    drop_old(kept)
    assert {name: window.exists() for name, window in windows.items()} == {"small": False, "other": True}
    log.append([prediction(1, features={"customer": 2})])
    rotate_and_compact(log)
    erase("small", [parse_condition("customer=2", case)], "asked")
    assert windows["other"].exists()


def test_every_group_is_json_lines(log):
    log.append([prediction(1), label(1)])
    log.close()
    (segment,) = segments(prediction_log("small"))
    ((_, group),) = groups(segment)
    assert [json.loads(line)["kind"] for line in group.splitlines()] == ["prediction", "feedback"]
