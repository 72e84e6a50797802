"""The flow's own body over a real log and real bundles, on a replay's clock: looks, versions, outages; without Prefect."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import flows.monitor
import tasks.monitoring.alerts.outbox
import tasks.monitoring.conclude
import tasks.monitoring.performance
from configs.fairness import Fairness
from configs.load import parse_use_case
from configs.schema import Objective
from configs.settings import prediction_log
from serving.log.writer import Feedback, Prediction, PredictionLog
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks import clock
from tasks.data.frames import encode, model_input
from tasks.monitoring.drift.calibrate_joint import calibrate_joint
from tasks.monitoring.findings import describe, finding_path, findings, told, unreadable_findings
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.explain import explain
from tasks.registry.lineage import lineage
from tasks.registry.values import Version
from tasks.training.evaluate import evaluate
from tests.conftest import SMALL, chain, small_frame

START, DAY = datetime(2020, 2, 6, tzinfo=UTC), timedelta(days=1)
TASKS = (
    "collect_window", "conclude", "detect_drift", "keep_finding", "measure_performance", "measure_reviews",
    "measure_service", "monitored", "notify", "watch_fairness", "explain_reference", "watch_reasons",
)  # fmt: skip


def frame_of(rows, begin, seed, days=7):
    """Rows over so many days, with a column that is called as one of the log's own."""
    frame = small_frame(rows=rows, seed=seed)
    step = (np.arange(rows) * (days * DAY / rows)).astype("timedelta64[us]")
    frame["at"] = np.datetime64(begin.replace(tzinfo=None), "us") + step
    frame["time"] = np.random.default_rng(seed).normal(size=rows)
    return frame


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A home with two versions of a use case: the second also takes the columns `time` and `target`."""
    from prefect.logging import disable_run_logger

    folder = tmp_path_factory.mktemp("monitored")
    frame = frame_of(2000, START - 100 * DAY, seed=0, days=100)
    frame["target"] = np.random.default_rng(1).choice(["x", "y"], len(frame))
    frame.to_csv(folder / "rows.csv", index=False)
    text = SMALL.format(path=folder / "rows.csv").replace("100 rows", "7 days, min_labels: 100")
    text = text.replace("rows.csv}", "rows.csv}\n  time_column: at\n  label_delay: 30 days")
    case = parse_use_case(text + "replay: {start: 2020-02-06}\n", "small.yaml")
    wide = case.features.model_copy(update={"numeric": ["a", "b", "time"], "categorical": ["c", "target"]})
    wider = case.model_copy(update={"features": wide})
    versions = {}
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(folder / "home"))
        patch.setattr("tasks.training.evaluate.create_table_artifact", lambda **_: None)
        for number, each in (("1", case), ("2", wider)):
            snapshot, contract, parts, fitted = chain(each)
            evaluation = evaluate.fn(each, parts, contract, fitted)
            onnx = convert.fn(parts, contract, each.features, fitted)
            reasons = explain.fn(parts, contract, each.recipe, fitted) if number == "1" else None
            origin = lineage(each, parts, None, contract, onnx)
            packed = bundle.fn(each, snapshot, contract, onnx, evaluation, origin, reasons=reasons)
            versions[number] = Version(use_case="small", version=number, run_id="", bundle=packed, golden="")
    return folder / "home", case, versions, {}


class Place:
    """A use case at work: what is asked and answered, where the clock stands, and the flow."""

    def __init__(self, case, versions):
        self.case, self.versions, self.serving = case, versions, "1"
        self.log, self.count, self.events = PredictionLog(prediction_log("small")), 0, []

    def week(self, number, version="1", rows=600, change=lambda frame: frame, begin=0.0, until=1.0):
        """Requests of a part of a week; returns what turns out to be true, by prediction id."""
        frame = frame_of(rows, START + number * 7 * DAY, seed=100 + number)
        frame["target"] = "x"
        frame = change(frame).iloc[round(begin * rows) : round(until * rows)].reset_index(drop=True)
        served = read_bundle(self.versions[version].bundle.path)
        chances = Scorer(served.model, served.contract).outputs(model_input(encode(served.contract, frame)))
        truth, records = {}, []
        for row, chance in zip(frame.to_dict("records"), chances.tolist(), strict=True):
            name, moment = f"p{self.count:06d}", f"{row['at']:%Y-%m-%dT%H:%M:%S.%fZ}"
            features = {column: row[column] for column in served.contract.names}
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            records.append(Prediction(name, now, moment, version, "r", "champion", "", features, "yes", chance, 10, "d"))
            truth[name] = row["y"]
            self.count += 1
        self.log.append(records)
        clock.set_clock(self.case, START + (number + until) * 7 * DAY)
        return truth

    def label(self, truth, kpis=None):
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        self.log.append([Feedback(name, now, label, "", kpis) for name, label in truth.items()])

    def monitor(self, window=None):
        return flows.monitor.monitor.fn("small", window).data


@pytest.fixture
def place(built, monkeypatch, quiet, tmp_path):
    home, case, versions, joint_bounds = built
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    folder = home / "use_cases" / "small"
    if folder.exists():
        folder.rename(tmp_path / "before")  # each test begins without a log
    found = Place(case, versions)
    for name in TASKS:
        monkeypatch.setattr(flows.monitor, name, getattr(flows.monitor, name).fn)

    def joint_bound(terms, packed, *kind):
        """Kept for a length of windows, as the flow keeps it."""
        key = (packed.digest, terms.monitoring.false_alarm_rate, str(kind))
        if key not in joint_bounds:
            joint_bounds[key] = calibrate_joint.fn(terms, packed, *kind)
        return joint_bounds[key]

    monkeypatch.setattr(flows.monitor, "calibrate_joint", joint_bound)
    monkeypatch.setattr(flows.monitor, "drift_report", lambda *_: None)
    monkeypatch.setattr(flows.monitor, "one_at_a_time", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(flows.monitor, "load_use_case", lambda _: found.case)
    monkeypatch.setattr(flows.monitor, "the_champion", lambda _: versions[found.serving])
    monkeypatch.setattr(flows.monitor, "versions_by_number", lambda _: versions)
    monkeypatch.setattr("tasks.monitoring.alerts.monitored.emit_event", lambda **_: None)
    monkeypatch.setattr(tasks.monitoring.alerts.outbox, "emit_event", lambda **event: found.events.append(event))
    monkeypatch.setattr(tasks.monitoring.performance, "_report", lambda *_: None)
    monkeypatch.setattr(tasks.monitoring.conclude, "create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.monitoring.conclude, "report_address", str)
    monkeypatch.setattr(tasks.monitoring.conclude, "service_address", lambda _: "http://prefect")
    yield found
    found.log.close()


def turned(frame):
    """Another meaning: what was likely is not."""
    return frame.assign(y=np.where(frame["y"] == "yes", "no", "yes"))


def test_late_labels_are_looked_at_when_they_are_due_and_alarm_once(place):
    place.week(0)
    wrong = place.week(1, change=turned)
    names = place.monitor()
    assert names == ["2020-02-06T0000", "2020-02-13T0000"]
    for finding in findings("small"):
        assert finding.performance.value is None
        assert "performance" not in finding.alarms
        assert "first look, without labels; all are due 2020-03-" in describe(finding)
    place.events.clear()
    place.label(wrong, {"cost": 5.0})
    assert place.monitor() == []  # they came, but others may yet: all are due 30 days after the window
    clock.set_clock(place.case, START + 43 * DAY)
    place.monitor()  # windows without a request, and not yet this one
    clock.set_clock(place.case, START + 44 * DAY)
    assert place.monitor() == ["2020-02-13T0000 (look with labels)"]
    before, again = (finding for finding in findings("small") if finding.window == "2020-02-13T0000")
    assert (before.look, again.look) == ("first", "labels")
    assert again.causes == ["performance"], told(again)
    assert again.performance.labelled == 600
    assert again.drift == before.drift
    assert "window 2020-02-13T0000: look with labels" in describe(again)
    assert again.service.kpis["cost"].value == 5.0
    assert (again.new_labels, before.new_labels) == (600, 0)
    assert again.false_alarm_rate < before.false_alarm_rate
    asked = [event for event in place.events if event["payload"]["look"] == "labels"]
    assert [(event["event"], event["payload"]["until"][:10]) for event in asked] == [("slipway.performance", "2020-03-21")]
    assert place.monitor() == []
    place.week(7)
    assert place.monitor() == ["2020-03-19T0000", "2020-03-26T0000"]
    assert findings("small")[-1].alarms["performance"].since == "2020-02-13T0000"  # no label has said that it is over


def test_each_version_is_judged_on_its_own_rows_by_its_own_contract(place):
    """The second version takes columns `time` and `target`, which the first's records lack and the log has its own of."""
    place.week(0, until=0.4)
    place.week(0, version="2", begin=0.4)
    place.serving = "2"
    place.monitor()
    (full,) = findings("small")
    groups = {group.version: group for group in full.groups}
    assert set(groups) == {"1", "2"}
    assert set(groups["1"].drift.columns) == {"a", "b", "c"}
    assert set(groups["2"].drift.columns) == {"a", "b", "c", "time", "target"}
    assert full.version == "2"
    assert full.drift == groups["2"].drift
    assert [group.rows for group in full.groups] == [240, 360]
    assert "## Version 1" in describe(full)
    assert "(version 2)" in told(full)


def test_other_reasons_than_before_are_told_and_alarm_where_that_is_declared(place):
    place.week(0)
    truth = place.week(1, change=lambda frame: frame.assign(a=frame["a"] + 1.5))
    place.monitor()
    place.label(truth)
    clock.set_clock(place.case, START + 60 * DAY)
    place.monitor()
    usual, turned = (finding for finding in findings("small")[:3] if finding.look == "first")
    labelled = next(finding for finding in findings("small") if finding.look == "labels")
    assert (usual.group.reasons.moved, usual.group.reasons.not_looked_at) == ([], "")
    assert "a" in turned.group.reasons.moved
    assert "reasons moved: " in told(turned)
    assert "### Flow of reasons" in describe(turned)
    assert "reasons" not in turned.alarms
    assert (labelled.look, labelled.group.reasons) == ("labels", turned.group.reasons)

    place.case = place.case.model_copy(update={"monitoring": place.case.monitoring.model_copy(update={"reasons": "alarm"})})
    place.monitor(turned.window)
    again = next(finding for finding in findings("small") if (finding.window, finding.look) == (turned.window, "first"))
    assert again.alarms["reasons"].severity == "warning"
    assert again.alarms["reasons"].reason.startswith("reasons moved: ")


def test_a_version_without_reasons_has_no_flow_of_them(place):
    place.serving = "2"
    place.week(0, version="2")
    place.monitor()
    assert findings("small")[0].group.reasons is None


def test_groups_that_are_answered_worse_alarm_until_that_is_clearly_over(place):
    """`c` is a feature, `g` comes with feedback, and nobody says `h`: the model takes the last two nowhere."""
    rules = {"protected": ["c", "g", "h"], "criteria": {"selection_rate": {"ratio": 0.8}, "equalised_odds": {"ratio": 0.5}}}
    place.case = place.case.model_copy(update={"fairness": Fairness.model_validate(rules)})

    def week(number, less):
        truth = place.week(number, change=lambda frame: frame.assign(a=frame["a"] - less * (frame["c"] == "red")))
        names = list(truth)
        for value in (0.0, 1.0):
            place.label({name: truth[name] for name in names[int(value) :: 2]}, {"g": value})
        place.monitor()
        return findings("small")[-1]

    worse = week(0, less=1.5)
    verdicts = {(each.measure, each.by): each.verdict for each in worse.fairness.judged}
    assert verdicts[("selection_rate", "c")] == "violated"
    assert {verdict for (_, by), verdict in verdicts.items() if by == "g"} <= {"holds", "undecided"}
    assert worse.fairness.confidence == pytest.approx(1 - place.case.monitoring.false_alarm_rate / 2)
    assert worse.alarms["fairness"].severity == "critical"
    assert "fairness: selection_rate by c: red over" in told(worse)
    assert "### Fairness: violated" in describe(worse)
    assert "'h' is not judged: the log has no values of it; list it under 'features.identifiers'" in describe(worse)
    assert "slipway.fairness" in {event["event"] for event in place.events}
    between = week(1, less=0)
    assert "fairness" not in between.causes
    undecided = bool(between.fairness.those("undecided"))
    assert ("fairness" in between.alarms) == undecided
    place.case = place.case.model_copy(update={"fairness": None})
    after = week(2, less=1.5)
    assert after.fairness is None
    assert "fairness" not in after.alarms


def test_few_rows_of_a_version_beside_another_are_told_and_not_judged(place):
    place.week(0, until=0.95)
    place.week(0, version="2", begin=0.95)
    place.serving = "2"
    place.monitor()
    (finding,) = findings("small")
    assert [group.not_judged for group in finding.groups] == ["", "fewer than 50 rows beside another version"]
    assert finding.version == "1"  # the latest that can be judged
    assert "Not judged: fewer than 50 rows" in describe(finding)


def test_an_outage_is_a_finding_told_once_and_never_looked_at_again(place):
    monitoring = place.case.monitoring
    rules = {"objectives": [Objective(kpi="requests_per_hour", at_least=1)]}
    place.case = place.case.model_copy(update={"monitoring": monitoring.model_copy(update=rules)})
    place.week(0)
    clock.set_clock(place.case, START + 21 * DAY)
    place.monitor()
    empty = [finding for finding in findings("small") if finding.rows == 0]
    assert len(empty) == 2
    for finding in empty:
        assert finding.service.kpis["requests_per_hour"].value == 0
        assert finding.causes == ["objective"]
        assert told(finding).startswith("no request came; objective missed: requests_per_hour 0")
        assert "no request came" in describe(finding)
    assert place.monitor() == []


def test_a_window_looked_at_again_counts_only_windows_before_it(place):
    rules = place.case.monitoring.model_copy(update={"persistence": "2 of 2"})
    place.case = place.case.model_copy(update={"monitoring": rules})
    for number in range(3):
        place.week(number, change=lambda frame: frame.assign(a=frame["a"] + 3))
    drifted = place.monitor()
    before = {finding.window: finding for finding in findings("small")}
    assert all(before[name].drift.highest > 1 for name in drifted)
    assert [before[name].drift.persists for name in drifted] == [False, True, True]
    assert place.monitor(drifted[0]) == [drifted[0]]
    again = next(finding for finding in findings("small") if finding.window == drifted[0])
    assert again.model_copy(update={"service": before[drifted[0]].service}) == before[drifted[0]]


def test_findings_of_an_earlier_form_are_read_and_what_cannot_be_read_is_told(place):
    place.week(0)
    names = place.monitor()
    (finding,) = findings("small")
    earlier = finding.model_dump(mode="json")
    (group,) = earlier.pop("groups")
    for added in ("look", "moment", "due", "labelled", "strays"):
        earlier.pop(added)
    path = finding_path("small", finding.window)
    path.write_text(json.dumps({**earlier, "drift": group["drift"], "performance": group["performance"]}))
    (read,) = [found for found in findings("small") if found.window == finding.window]
    assert (read.drift, read.performance, read.title) == (finding.drift, finding.performance, names[0])
    path.write_text("{}")
    assert unreadable_findings("small") == [path]
    assert finding.window not in [found.window for found in findings("small")]
    assert place.monitor() == []
    assert place.monitor(finding.window) == [finding.window]
    assert unreadable_findings("small") == []


def test_a_run_killed_before_the_finding_was_kept_tells_nothing_and_the_next_one_does(place, monkeypatch):
    place.week(0)
    keep = flows.monitor.keep_finding

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(flows.monitor, "keep_finding", killed)
    with pytest.raises(KeyboardInterrupt):
        place.monitor()
    assert place.events == []
    monkeypatch.setattr(flows.monitor, "keep_finding", keep)
    names = place.monitor()
    assert [event["payload"]["window"] for event in place.events] == names
