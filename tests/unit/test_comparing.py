"""Comparing versions: on rows that none learned from, by the statistics of a verdict, whatever the kind of answer."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.logging import disable_run_logger
from typer.testing import CliRunner

import tasks.comparing.ask
import tasks.comparing.choose_versions
import tasks.comparing.put_side_by_side
import tasks.training.evaluate
from configs.errors import InputError
from configs.settings import store
from console.cli import app
from console.commands.compare import show
from serving.scoring.bundle import read_bundle
from tasks.comparing.ask import ask
from tasks.comparing.choose_versions import choose_versions
from tasks.comparing.differing import differing
from tasks.comparing.fair_rows import AS_IT_SERVES, CANDIDATE
from tasks.comparing.find_changes import find_changes
from tasks.comparing.measure import measure
from tasks.comparing.measure_groups import measure_groups
from tasks.comparing.own_evaluation import own_evaluation
from tasks.comparing.put_side_by_side import put_side_by_side
from tasks.comparing.read_facts import read_facts
from tasks.comparing.sheets import sheets
from tasks.comparing.trace_origins import trace_origins
from tasks.comparing.values import SideBySide
from tasks.history import record
from tasks.registry.provenance import environment_of, keep_environment, provenance
from tasks.training.compare import measure as verdict_of
from tests.unit.test_verdicts import built, dated, moment, timed_case


def registered(version, **tags):
    """With the tags that a registration gives it."""
    lineage = read_bundle(version.bundle.path).manifest.lineage
    recorded = {name: value for name, value in lineage.items() if isinstance(value, str)}
    return version.model_copy(update={"tags": {**recorded, **provenance(), **tags}})


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A use case with a time, and its versions of the days 50, 53, 57 and 70; the last two have another recipe."""
    folder = tmp_path_factory.mktemp("past")
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(folder / "home"))
        patch.setattr(tasks.training.evaluate, "create_table_artifact", lambda **_: None)
        keep_environment()
        case, made = timed_case(folder, dated(72)), {}
        for number, day in (("1", 50), ("2", 53), ("3", 57), ("4", 70)):
            if number == "3":
                case = case.model_copy(update={"model": case.model.model_copy(update={"parameters": {"max_iter": 30}})})
            version, evaluation, parts = built(case, moment(day), number)
            made[number] = (registered(version, parent=str(int(number) - 1)), evaluation, parts)
        return folder / "home", case, made


@pytest.fixture
def told(past, monkeypatch, tmp_path):
    """The versions with these numbers side by side, of a registry that knows no others but `known`."""
    home, case, made = past
    monkeypatch.setenv("SLIPWAY_HOME", str(shutil.copytree(home, tmp_path / "copy")))
    with disable_run_logger():
        yield lambda *numbers, known=(): compared(
            monkeypatch, case, [made[number][0] for number in numbers], [made[number][0] for number in known]
        )


@pytest.fixture(scope="module")
def usual(past, tmp_path_factory):
    """Versions 1 and 3 side by side, of a registry that knows no others, for tests that only read it."""
    home, case, made = past
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        patch.setenv("SLIPWAY_HOME", str(shutil.copytree(home, tmp_path_factory.mktemp("usual") / "home")))
        return compared(patch, case, [made["1"][0], made["3"][0]])


def compared(monkeypatch, case, chosen, known=()):
    """The steps of the flow, without a server."""
    monkeypatch.setattr(tasks.comparing.ask, "versions", lambda _: [*chosen, *known])
    monkeypatch.setattr(tasks.comparing.put_side_by_side, "create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr(tasks.comparing.put_side_by_side, "report_address", str)
    basis = ask.fn(case, chosen)
    return put_side_by_side.fn(
        case,
        chosen,
        read_facts.fn(chosen, basis),
        basis,
        measure.fn(chosen, basis),
        measure_groups.fn(chosen, basis),
        own_evaluation.fn(chosen, basis),
        find_changes.fn(case, chosen, basis),
        trace_origins.fn(case, chosen),
    )


def of(found, metric, where="all"):
    return next(each for each in found.measured if (each.metric, each.where) == (metric, where))


def test_without_later_rows_it_is_what_the_verdict_said(usual, told, past):
    """The same rows, the same numbers, and a bound that is one end of the same interval."""
    _, case, made = past
    found = usual
    verdict = verdict_of(case, made["1"][0], made["3"][1], made["3"][2], "a person")
    auc = of(found, "roc_auc")
    assert found.basis.by == {"1": AS_IT_SERVES, "3": CANDIDATE}
    assert "held out of version 3, whose candidate answers" in found.basis.told
    assert (found.basis.rows, auc.rows) == (verdict.rows, verdict.rows)
    assert (auc.values["1"].value, auc.values["3"].value) == pytest.approx((verdict.champion, verdict.challenger))
    (gain,) = auc.gains
    assert gain.estimate.value == pytest.approx(verdict.difference)
    assert gain.estimate.lower < verdict.lower < gain.estimate.value, "95 % on both sides, and 95 % on one"
    assert not found.own


def test_rows_that_came_after_all_of_them_are_taken_from_a_later_version(told, past, few):
    """Then each answers as it serves: the model that was refitted, not its candidate."""
    _, case, made = past
    found = told("1", "2", "3", known="4")
    later, third = made["4"][2].snapshot, read_bundle(made["3"][0].bundle.path).manifest.lineage
    assert found.basis.snapshot == later
    assert set(found.basis.by.values()) == {AS_IT_SERVES}
    kept = pd.read_parquet(store("answers") / f"{found.basis.answers}.parquet")
    assert kept["time"].min() > pd.Timestamp(third["learned_until"]) + case.source.label_delay
    assert len(kept) == found.basis.rows == (pd.read_parquet(later.path)["at"] >= kept["time"].min()).sum()
    assert [(gain.before, gain.after) for gain in of(found, "brier").gains] == [("1", "2"), ("1", "3"), ("2", "3")]
    assert [(each.before, each.after) for each in found.changed] == [("1", "2"), ("1", "3"), ("2", "3")]


def test_where_no_rows_are_fair_each_has_its_own_evaluation_and_that_is_said(told, past, few):
    found = told("1", "2")
    assert "no snapshot has more than 80 such rows on 2 days; 200 of both classes on 5 days are needed" in found.basis.told
    assert (found.measured, found.changed) == ([], [])
    own = {each.version: each.metrics["roc_auc"] for each in found.own}
    assert own == pytest.approx({number: past[2][number][1].metrics["roc_auc"] for number in "12"})
    (sheet,) = [sheet for sheet in sheets(found) if "NOT comparable" in sheet.title]
    assert "nothing follows from a difference" in sheet.note


def test_a_snapshot_that_is_gone_is_told_and_others_are_taken(told, past, few):
    _, _, made = past
    made["4"][2].snapshot.path.unlink()
    assert told("1", "3", known="4").basis.by["3"] == CANDIDATE
    made["3"][2].snapshot.path.unlink()
    found = told("1", "3", known="4")
    gone = made["3"][2].snapshot.digest[:12]
    assert f"snapshot {gone} is not in this home any more" in found.basis.told
    assert next(fact for fact in found.facts.data if fact.what == "first row").values["3"] == "(snapshot is gone)"


def test_facts_are_those_of_the_bundles_and_only_what_differs_of_the_rest(usual, told, past):
    _, _, made = past
    found = usual
    facts = {fact.what: fact.values for part in (found.facts.data, found.facts.model) for fact in part}
    lineage = read_bundle(made["1"][0].bundle.path).manifest.lineage
    assert facts["learned until"]["1"] == lineage["learned_until"]
    assert facts["learned rows"] == {n: read_bundle(made[n][0].bundle.path).manifest.lineage["learned_rows"] for n in "13"}
    assert facts["ONNX (kB)"]["1"] == round((made["1"][0].bundle.path / "model.onnx").stat().st_size / 1e3, 1)
    assert facts["opset"]["3"].startswith("ai.onnx ")
    assert all(value > 0 for value in facts["one row now (µs)"].values())
    assert facts["inputs"] == {"1": 3, "3": 3}
    differ = {fact.what: fact.values for fact in found.facts.configuration}
    assert differ == {"model.parameters.max_iter": {"1": 20, "3": 30}}
    assert found.facts.environment == [], "both were made by this process"


def test_packages_that_differ_are_named_where_the_home_has_the_list(told, past, few, monkeypatch):
    _, case, made = past
    other = store("environments") / f"{'f' * 64}.txt"
    now = (store("environments") / f"{provenance()['packages']}.txt").read_text()
    other.write_text(now.replace(f"numpy-{np.__version__}", "numpy-0.1"))
    assert environment_of({"packages": "f" * 64})["numpy"] == "0.1"
    older = made["1"][0].model_copy(update={"tags": {**made["1"][0].tags, "packages": "f" * 64, "python": "3.9.1"}})
    found = compared(monkeypatch, case, [older, made["3"][0]])
    differ = {fact.what: fact.values for fact in found.facts.environment}
    assert differ["numpy"] == {"1": "0.1", "3": np.__version__}
    assert differ["Python"]["1"] == "3.9.1"
    other.unlink()
    found = compared(monkeypatch, case, [older, made["3"][0]])
    assert any("cannot be named: the home has no list of those of version 1" in each for each in found.facts.remarks)


def test_lineage_says_why_by_what_and_when(told, past, few, monkeypatch):
    _, case, made = past
    record("small", "deploy", "drift: better", version="3", previous="1", platform="local")
    record("small", "verdict", "challenger better", version="3", cause="drift", better=True)
    third = made["3"][0].model_copy(
        update={"tags": {**made["3"][0].tags, "cause": "drift", "gate.load": "gate load: 5 passed"}}
    )
    found = compared(monkeypatch, case, [made["1"][0], third])
    first, last = found.origins
    assert (first.parent, first.deployed, first.serves) == ("0", [], False)
    assert (last.cause, last.gates) == ("drift", ["gate load: 5 passed"])
    assert [(each.reason, each.by, each.instead) for each in last.deployed] == [("drift: better", "a command", "1")]
    assert last.verdicts[0].endswith(": challenger better")


class Page(HTMLParser):
    """What a browser would load, and the text that it would show."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        self.loads += [value for value in named if not value.startswith(("#", "data:"))]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone_and_shows_what_was_found(usual):
    found, content = usual, Path(usual.page).read_text(encoding="utf-8")
    page = Page(content)
    text = "\n".join(page.text)
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "url(http" not in content
    assert page.tags.count("svg") == 3, "metrics, answers, and the one change"
    auc = of(found, "roc_auc").values["3"]
    for shown in (f"{auc.value:.4f} ± {auc.upper - auc.value:.4f}", "model.parameters.max_iter", found.basis.told):
        assert shown in text
    for sheet in sheets(found):
        assert sheet.title in page.text
    assert f"{found.changed[0].most[0].row}" in page.text
    assert len(content) < 500_000


def test_it_is_data_that_can_be_read_back(usual):
    assert SideBySide.model_validate_json(usual.model_dump_json()) == usual


def test_what_a_table_holds_is_no_markup(told, past, few, monkeypatch):
    from rich.console import Console

    _, case, made = past
    evil = made["3"][0].model_copy(update={"tags": {**made["3"][0].tags, "cause": "<script>[red]1[/red]</script>"}})
    found = compared(monkeypatch, case, [made["1"][0], evil])
    assert "script" not in Page(Path(found.page).read_text(encoding="utf-8")).tags
    screen = Console(width=200, record=True)
    monkeypatch.setattr("console.commands.compare.report_address", str)
    show(found, screen)
    text = screen.export_text()
    assert "<script>[red]1[/red]</script>" in text
    assert f"Page with plots: {found.page}" in text


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        (["1"], "one version alone compares with nothing; write for example 'slipway compare loans 1 2'"),
        (["1", "1"], "version 1 is named twice, and equals itself"),
        (["1", "2", "01"], "version 01 is named twice"),
        (["1", "2", "3", "4"], "4 versions are too many for one page; at most 3"),
        (["1", "flights/2"], "'flights/2' is no version number; versions are compared within one use case"),
    ],
)
def test_bad_input_is_told_before_anything_is_started(home, numbers, wrong):
    with pytest.raises(InputError, match=wrong):
        CliRunner().invoke(app, ["compare", "loans", *numbers], catch_exceptions=False)
    assert not home.exists()


def test_a_bundle_that_is_gone_or_damaged_is_one_clear_error(told, past, monkeypatch):
    _, _, made = past
    monkeypatch.setattr(tasks.comparing.choose_versions, "get_version", lambda _, number: made[number][0])
    path = made["2"][0].bundle.path
    assert [version.version for version in choose_versions.fn("small", ("1", "2"))] == ["1", "2"]
    (path / "card.md").write_text("other")
    with pytest.raises(InputError, match=r"version 2 of small: .*card.md is not the file.*a damaged bundle is not"):
        choose_versions.fn("small", ("1", "2"))
    shutil.rmtree(path)
    with pytest.raises(InputError, match=r"version 2 of small: its bundle is gone from this home \(.* is missing\)"):
        choose_versions.fn("small", ("1", "2"))


def test_a_difference_of_configurations_is_told_by_key():
    one = {"a": {"x": [1, 2], "text": "select 1\nfrom t"}, "gates": [{"metric": "r2", "at_least": 0.1}], "same": None}
    other = {"a": {"x": [2, 3], "text": "select 2\nfrom t"}, "gates": [{"metric": "r2", "at_least": 0.2}], "same": None}
    assert differing({"1": one, "2": one}) == []
    assert [fact.what for fact in differing({"1": one, "2": other, "3": one})] == [
        "a.x: 1",
        "a.text, line: select 1",
        "gates[0].at_least",
        "a.x: 3",
        "a.text, line: select 2",
    ]
