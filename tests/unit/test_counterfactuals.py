"""What would have to change: as declared, answered by the model as wanted, none of it in vain; or nothing in reach."""

import json
import shutil
from itertools import combinations, product

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from configs.counterfactuals import Counterfactuals, Moving, Reached
from configs.errors import InputError
from configs.load import parse_use_case
from configs.schema import UseCase
from configs.settings import store
from console.cli import app
from serving.contract.contract import Column, Contract
from serving.contract.heads.choose import head_of
from serving.scoring.bundle import read_bundle
from serving.scoring.onnx import Scorer
from tasks.explaining.aim import OfNumber, aim_of
from tasks.explaining.counterfactuals import Asked, what_if
from tasks.explaining.moves.boolean import Flags
from tasks.explaining.moves.categorical import Choices
from tasks.explaining.moves.numeric import Numbers
from tasks.explaining.observed import Observed
from tasks.explaining.search import Search
from tasks.log.find import find_records
from tasks.onboarding.check import _counterfactuals
from tests.conftest import RICH, SMALL, small_frame
from tests.unit.test_explained import served

__all__ = ["served"]  # a fixture

DENIED = {"a": -1.0, "b": -0.5, "c": "red"}
KEPT = RICH + "\nlog: {sensitive: keep}"
FAIR = "fairness: {protected: [c], criteria: {selection_rate: {ratio: 0.8}}}\nevaluation:"
LINEAR = "model: {estimator: logistic_regression}\nevaluation:"


def declared(block, path="rows.csv", features=KEPT, **replace):
    """The small use case with such a block."""
    text = SMALL.format(path=path).replace("{numeric: [a, b], categorical: [c]}", features)
    for old, new in replace.items():
        text = text.replace(old, new)
    return parse_use_case(f"{text}\ncounterfactuals: {json.dumps(block)}\n", "small.yaml")


@pytest.fixture(scope="module")
def small(built_bundle):
    """The bundle of the small use case, its scorer, and what its training showed."""
    bundle = read_bundle(built_bundle[0])
    frame = pd.read_parquet(built_bundle[1])
    return bundle.contract, Scorer(bundle.model, bundle.contract), Observed(bundle.contract, frame), frame


def asked(small, block, contract=None):
    return Asked(declared(block), contract or small[0], small[1], small[2])


def answers(small, records, contract=None):
    contract = contract or small[0]
    return head_of(contract).answer(small[1].outputs(contract.encode(records)))[0]


NUMBERS = st.floats(-2.5, 2.5, width=32)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "minimum": st.floats(-3, 0).map(lambda each: round(each, 2)),
        "maximum": st.floats(0, 3).map(lambda each: round(each, 2)),
        "step": st.sampled_from([0.1, 0.25, 1]),
        "only": st.sampled_from(["up", "down"]),
    },
)
BLOCKS = st.fixed_dictionaries(
    {
        "most": st.integers(1, 3),
        "columns": st.fixed_dictionaries({}, optional={"a": RULES, "b": RULES, "c": st.just({"among": ["red", "blue"]})}),
        "fixed": st.sampled_from([[], ["c"], "others"]),
        "wanted": st.sampled_from(["yes", "no"]),
    }
).filter(
    lambda each: (
        not (each["fixed"] == "others" and not each["columns"]) and not ("c" in each["fixed"] and "c" in each["columns"])
    )
)
RECORDS = st.fixed_dictionaries({"a": NUMBERS, "b": st.none() | NUMBERS, "c": st.sampled_from(["red", "green", "blue"])})


@given(block=BLOCKS, record=RECORDS)
@settings(max_examples=60)
def test_every_way_is_as_declared_answered_as_wanted_and_minimal(small, block, record):
    told = asked(small, block).what_if(record, "1")
    assert told == asked(small, block).what_if(record, "1"), "the same question has the same answer"
    if answers(small, [record]) == [block["wanted"]]:
        assert told.none.endswith("nothing would have to change")
        return
    assert told.ways or told.none.startswith("nothing in reach: no change of at most")
    assert len(told.ways) <= 3
    seen = set()
    for way in told.ways:
        changes = {each.column: each.value for each in way.changes}
        assert 1 <= len(changes) <= block["most"]
        assert answers(small, [{**record, **changes}]) == [way.answer] == [block["wanted"]]
        for size in range(len(changes)):
            for part in combinations(changes.items(), size):
                assert answers(small, [{**record, **dict(part)}]) != [block["wanted"]], "nothing of it is in vain"
        assert set(changes) - seen, "each has a column that none before it changes"
        seen |= set(changes)
        for each in way.changes:
            as_declared(small, block, record, each.column, each.was, each.value)
    costs = [way.distance + len(way.changes) for way in told.ways]
    assert costs == sorted(costs)


def as_declared(small, block, record, name, was, value):
    rule = block["columns"].get(name)
    assert rule is not None or not (block["fixed"] == "others" or name in block["fixed"])
    assert was == record[name]
    assert value != was
    rule = rule or {}
    if name == "c":
        assert value in rule.get("among", ["red", "green", "blue"])
        return
    low, high = (float(f"{each:.4g}") for each in np.quantile(small[3][name], (0.01, 0.99)))
    assert max(low, rule.get("minimum", -9)) <= value <= min(high, rule.get("maximum", 9)), "and near the data"
    if "only" in rule:
        assert (value > was) == (rule["only"] == "up")
    if "step" in rule:
        steps = (value - was) / rule["step"]
        assert steps == pytest.approx(round(steps), abs=1e-5)


@given(record=RECORDS, wanted=st.sampled_from(["yes", "no"]))
@settings(max_examples=15)
def test_one_column_is_looked_at_in_full_before_nothing_is_in_reach(small, record, wanted):
    """Against every value, one by one."""
    block = {"wanted": wanted, "most": 1, "fixed": ["b", "c"]}
    model = asked(small, block)
    told = model.what_if(record)
    every = [{**record, "a": value} for value in model.moves["a"].values(record["a"])]
    there = [each["a"] for each, answer in zip(every, answers(small, every), strict=True) if answer == wanted]
    if told.ways:
        assert told.ways[0].changes[0].value == there[0], "the nearest that leads there"
    elif answers(small, [record]) != [wanted]:
        _, far = strangers(small, record, [{"a": value} for value in there[:1]])
        assert all(far), "what there is lies far from the data"


def strangers(small, record, changes):
    """How far at most a changed record may lie from the rows of the training, and which do not keep to it."""
    contract, _, observed, _ = small
    before, *after = observed.nearest(contract.encode([record, *({**record, **each} for each in changes)])).tolist()
    most = observed.usual + (before if before > observed.usual else 0)
    return most, [each > most for each in after]


def test_an_answer_that_is_not_sure_enough_is_none(small):
    sure = msgspec.structs.replace(small[0], confidence=0.9)
    told = asked(small, {"wanted": "yes", "fixed": ["c"]}, sure).what_if(DENIED)
    assert told.ways
    assert all(way.output[1] >= 0.9 and way.answer == "yes" for way in told.ways)


def test_what_is_missing_stays_missing(small):
    told = asked(small, {"wanted": "yes", "fixed": ["c"]}).what_if({**DENIED, "b": None})
    assert {each.column for way in told.ways for each in way.changes} == {"a"}


def test_no_way_leads_far_from_the_data(small):
    """However strange the record is already."""
    for a, b in product((-2.4, 0.0, 2.4), (None, -2.4, 2.4)):
        record = {"a": a, "b": b, "c": "red"}
        for wanted in ("yes", "no"):
            ways = asked(small, {"wanted": wanted}).what_if(record).ways
            assert not any(strangers(small, record, [{c.column: c.value for c in way.changes} for way in ways])[1])


def test_in_words(small):
    block = {"wanted": "yes", "outcome": "approved", "most": 1, "fixed": "others"}
    plain = asked(small, {**block, "columns": {"a": {"step": 0.5}}}).what_if(DENIED)
    value = plain.ways[0].changes[0].value
    assert plain.told == [f"would have been approved if a had been {value:g} instead of -1"]
    own = asked(small, {**block, "columns": {"a": {"step": 0.5, "says": "it had been {value} {{m}}, not {was}"}}}).what_if(
        DENIED
    )
    assert own.told == [f"would have been approved if it had been {value:g} {{m}}, not -1"]
    assert asked(small, {"wanted": "yes"}).what_if(DENIED).told[0].startswith("would have been answered yes if ")


def column(kind, **more):
    return Column("x", kind, **more)


def test_numbers_stay_whole_and_in_steps():
    whole = Numbers(column("numeric"), Moving(step=0.5), np.arange(100, dtype=np.float32))
    assert whole.values(3.0)[:4] == [2.0, 4.0, 1.0, 5.0]
    tenths = Numbers(column("numeric", maximum=0.5), Moving(step=0.1, only="up"), np.linspace(0, 1, 101))
    assert tenths.values(0.1) == [0.2, 0.3, 0.4, 0.5]
    fine = Numbers(column("numeric"), Moving(step=1e-6), np.linspace(0, 1, 101))
    assert 900 <= len(fine.values(0.5)) <= 1_002
    seen = Numbers(column("numeric"), Moving(), np.array([0.0] * 50 + [1.0] * 50))
    assert seen.values(1.0) == [0.0]
    assert seen.values(True) == [0.0]
    odd = Numbers(column("numeric"), Moving(), np.array([1.23456] * 500 + [2.34567] * 500, dtype=np.float32))
    assert odd.values(0.0) == [1.235, 2.346], "no one row's number"
    assert Numbers(column("numeric"), Moving(), np.ones(9)).values(1.0) == []


def test_categories_and_booleans():
    rare = np.array(["a"] * 500 + ["b"] * 495 + ["c"] * 3, dtype=object)
    assert Choices(column("categorical"), Moving(), rare).values("b") == ["a"]
    assert Choices(column("categorical", allowed=("b",)), Moving(), rare).values("c") == ["b"]
    both, one = np.array([0.0, 1.0]), np.array([1.0])
    assert Flags(column("boolean"), Moving(), both).values(True) == [False]
    assert Flags(column("boolean"), Moving(), both).values(1.0) == [0.0]
    assert Flags(column("boolean"), Moving(only="up"), both).values(True) == []
    assert Flags(column("boolean"), Moving(), one).values(1.0) == []


def test_a_number_from_a_bound_on():
    at_most = OfNumber(Reached(at_most=0.1))
    outputs = np.array([[0.1], [0.11], [-5]], dtype=np.float32)
    assert at_most.reached(outputs).tolist() == [True, False, True], "0.1 of 32 bits is answered as 0.1"
    assert at_most.told == "answered at most 0.1"
    assert OfNumber(Reached(at_least=3)).score(np.array([[1.0, 0, 2]], dtype=np.float32)).tolist() == [-2.0]


def summing():
    """An ONNX model that adds two numbers."""
    from onnx import TensorProto, helper

    one = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("x0", "x1", "values")]
    graph = helper.make_graph([helper.make_node("Add", ["x0", "x1"], ["values"])], "sum", one[:2], one[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def test_of_a_number_too():
    contract = Contract("small", (Column("a", "numeric"), Column("b", "numeric")), "y", (), problem="regression")
    frame = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0)[::-1]})
    block = {"wanted": {"at_least": 60}, "columns": {"a": {"step": 4}, "b": {"maximum": 10}}, "fixed": ["c"]}
    gate = {'positive: "yes"': "problem: regression", "{metric: roc_auc, at_least: 0.6}": "{metric: mae, at_most: 1}"}
    told = Asked(declared(block, **gate), contract, Scorer(summing(), contract), Observed(contract, frame))
    (way,) = told.what_if({"a": 20.0, "b": 9.0}).ways
    assert [(each.column, each.value) for each in way.changes] == [("a", 52.0)], "51 is enough, and no step"
    assert (way.answer, told.what_if({"a": 20.0, "b": 9.0}).outcome) == (61.0, "answered at least 60")


def test_pairs_that_only_lead_there_together_are_found():
    """Of a model that adds: no column is enough, and each of two is promising."""
    levels = np.arange(10, dtype=np.float32)
    moves = {name: Numbers(Column(name, "numeric"), Moving(), levels) for name in "pqrs"}
    weights = {"p": 1.0, "q": 1.0, "r": 0.1, "s": 0.0}

    def ask(proposals):
        sums = np.array([sum(weights[name] * value for name, value in each) for each in proposals])
        return sums >= 12, sums

    found = Search(ask, dict.fromkeys("pqrs", 0.0), moves, 2).found()
    assert [name for name, _ in found[0].changes] == ["p", "q"]
    assert sum(value for _, value in found[0].changes) == 12, "and no more than is needed"
    assert not Search(ask, dict.fromkeys("pqrs", 0.0), moves, 1).found()


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"fixed": ["d"]}, "'counterfactuals.fixed': 'd' is no feature; known: a, b, c"),
        ({"columns": {"d": {}}}, "'counterfactuals.columns.d': no feature has that name; known: a, b, c"),
        ({"columns": {"customer": {}}}, "'counterfactuals.columns.customer': no feature has that name"),
        ({"columns": {"c": {"step": 1}}}, "it is categorical, which has no 'step'; among and says fit"),
        ({"columns": {"a": {"among": ["1"]}}}, "it is numeric, which has no 'among'; minimum and maximum and step"),
        ({"columns": {"a": {"minimum": 2, "maximum": 1}}}, "no value lies from 'minimum' 2 to 'maximum' 1"),
        ({"columns": {"a": {"step": 0}}}, "greater than 0"),
        ({"columns": {"a": {"only": "left"}}}, "'up' or 'down'"),
        ({"columns": {"a": {"says": "{usual}"}}}, "'says': {usual} is not known; what is: {value} and {was}"),
        ({"columns": {"a": {"says": "{value"}}}, "'says': expected '}' before end of string"),
        ({"columns": {"a": {}}, "fixed": ["a"]}, "'fixed' lists 'a', and 'columns' says how it may change"),
        ({"fixed": ["a", "b", "c"]}, "'counterfactuals': no column may change"),
        ({"fixed": "others"}, "'counterfactuals': no column may change"),
        ({"wanted": {"at_least": 1}}, "a bound is that of a number; problem 'binary' answers a class"),
        ({"wanted": {}}, "'counterfactuals.wanted': give one of 'at_least' and 'at_most'"),
        ({"wanted": {"at_last": 1}}, "unknown key 'counterfactuals.wanted.at_last'"),
        ({"wanted": []}, "'wanted' lists no class"),
        ({"most": 0}, "greater than or equal to 1"),
        ({"colums": {}}, "colums"),
    ],
)
def test_a_wrong_block_is_told(block, told):
    with pytest.raises(InputError) as error:
        declared(block)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("block", "replace", "told"),
    [
        ({"columns": {"c": {}}}, {"evaluation:": FAIR},
         "'counterfactuals.columns.c': it is a protected column, or a proxy of one"),
        ({"wanted": "no"}, {"evaluation:": "reasons: {unfavourable: 'no'}\nevaluation:"}, "'no' is unfavourable elsewhere"),
        ({}, {'positive: "yes"': "problem: multiclass", "roc_auc": "log_loss"}, "'counterfactuals.wanted' is missing"),
        ({}, {'positive: "yes"': "problem: regression", "{metric: roc_auc, at_least: 0.6}": "{metric: mae, at_most: 1}"},
         "problem 'regression' answers a number; write {at_least: ...}"),
        ({"columns": {"b": {"minimum": 5}}}, {"b: {nullable: true}": "b: {maximum: 1}"}, "no value from 5 to 1 is allowed"),
        ({"columns": {"c": {"among": ["x"]}}}, {"c: {sensitive: true}": "c: {allowed: [red]}"}, "does not allow 'x'"),
        ({"columns": {"c": {}}}, {"log: {sensitive: keep}": ""}, "the log keeps no values of it"),
        ({"columns": {"c": {}}}, {"categorical: [c]": "text: [c]", "evaluation:": LINEAR},
         "it is text, and such columns stay as they are"),
    ],
)  # fmt: skip
def test_a_block_that_does_not_fit_is_told(block, replace, told):
    with pytest.raises(InputError) as error:
        declared(block, **replace)
    assert told in str(error.value)


def test_a_recorded_block_is_read_again():
    case = declared({"wanted": "yes", "columns": {"a": {"step": 1}, "c": {"among": ["red"]}}})
    assert UseCase.model_validate(case.model_dump(mode="json")) == case
    without = declared({}).model_copy(update={"counterfactuals": None})
    assert "counterfactuals" not in without.model_dump(mode="json"), "a use case without is what it was"


def test_protected_columns_and_proxies_stay_without_being_listed():
    case = declared({}, **{"evaluation:": FAIR})
    assert case.counterfactuals.movable(case.features.kinds, case.never_changed) == ["a", "b"]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"wanted": "maybe"}, "counterfactuals.wanted: 'maybe' is no value of 'y'; found"),
        ({"wanted": ["yes", "no"]}, "counterfactuals.wanted lists every class"),
        ({"columns": {"a": {"minimum": 90}}}, "counterfactuals.columns.a: nearly all rows lie from "),
        ({"columns": {"c": {"among": ["red", "pink"]}}}, "counterfactuals.columns.c: 'among': no row has 'pink'"),
    ],
)
def test_the_check_holds_the_block_against_the_rows(block, told):
    (said,) = _counterfactuals(declared(block), small_frame())
    assert told in said
    assert not list(_counterfactuals(declared({"wanted": "yes", "columns": {"a": {"minimum": 0}}}), small_frame()))


def test_a_class_of_another_version_is_told():
    other = Contract("small", (), "y", ("a", "b"))
    with pytest.raises(InputError, match="'yes' is no value of 'y'; found"):
        aim_of(declared({}), other)
    bound = Counterfactuals(wanted=Reached(at_least=1))
    with pytest.raises(InputError, match="a bound is that of a number, and 'y' is one of"):
        aim_of(declared({}).model_copy(update={"counterfactuals": bound}), other)


@pytest.fixture
def at_home(served, built_bundle, tmp_path, monkeypatch):
    """A home with the version's reference, and the use case in a file; writes it with a block."""
    shutil.copytree(built_bundle[0].parents[1] / "references", store("references"), dirs_exist_ok=True)
    folder = tmp_path / "use-cases"
    folder.mkdir()
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(folder))

    def write(block):
        text = SMALL.format(path="rows.csv").replace("{numeric: [a, b], categorical: [c]}", KEPT)
        (folder / "small.yaml").write_text(text + (f"counterfactuals: {json.dumps(block)}\n" if block is not None else ""))

    write({"outcome": "let in", "columns": {"a": {"step": 0.5}}, "fixed": ["c"]})
    return write


def invoked(*words):
    return CliRunner().invoke(app, ["audit", *words], env={"COLUMNS": "200"})


def test_why_says_what_would_have_to_change(served, at_home):
    served("p1", **DENIED)
    shown = invoked("why", "p1", "--change").output
    assert "would have been let in if a had been" in shown
    assert "for version 1 and this record; what comes later is no promise" in shown
    told = json.loads(invoked("why", "p1", "--change", "--json").output)["change"]
    assert told["movable"] == ["a", "b"]
    first = {each["column"]: each["value"] for each in told["ways"][0]["changes"]}
    answer = served("p2", **{**DENIED, **first})
    assert answer is not None
    (then,) = find_records("small", "p2")
    assert then.record["prediction"] == told["ways"][0]["answer"] == "yes", "the server says so too"
    assert "nothing would have to change" in invoked("why", "p2", "--change").output
    assert "change" not in invoked("why", "p1").output


def test_nothing_in_reach_is_an_answer(served, at_home):
    served("p1", a=-2.0, b=-2.5)
    at_home({"fixed": "others", "most": 1, "columns": {"a": {"maximum": -1.5, "only": "up"}}})
    assert "nothing in reach: no change of at most 1 of a that was tried" in invoked("why", "p1", "--change").output


def test_what_is_not_known_is_told(served, at_home):
    served("p1", "hash", **DENIED)
    shown = " ".join(invoked("why", "p1", "--change").output.split())
    assert shown.count("the log has hashed c, and without the values nobody can say why") == 2
    served("p2", **DENIED)
    at_home(None)
    assert "use case 'small' has no 'counterfactuals', so nothing says" in str(invoked("why", "p2", "--change").exception)
    at_home({})
    shutil.rmtree(store("references"))
    assert "its reference rows are not in this home" in str(invoked("why", "p2", "--change").exception)


def test_a_notice_says_it_and_promises_nothing(served, at_home, tmp_path):
    served("p1", a=-2.0, b=-2.5)
    assert invoked("notice", "p1", "--to", str(tmp_path / "one.html")).exit_code == 0
    one = " ".join((tmp_path / "one.html").read_text().split())
    assert "<li>It would have been let in if a had been" in one
    assert "Version 1 of the model would have answered otherwise" in one
    assert "It is no promise" in one
    at_home({"fixed": "others", "most": 1, "columns": {"a": {"maximum": -1.5, "only": "up"}}})
    invoked("notice", "p1", "--to", str(tmp_path / "two.html"))
    two = " ".join((tmp_path / "two.html").read_text().split())
    assert "No change of what can be changed was found after which version 1 of the model" in two
    at_home(None)
    invoked("notice", "p1", "--to", str(tmp_path / "three.html"))
    assert "would have changed" not in (tmp_path / "three.html").read_text()


def test_a_changed_case_is_asked_by_its_own_version(served, at_home, built_bundle):
    """What may change is declared now; what is answered is the stored model's."""
    served("p1", **DENIED)
    (found,) = find_records("small", "p1")
    gone = what_if(declared({"wanted": "yes"}), {**found.record, "model_version": "7"}, "")
    assert gone.none == "version 7 was never switched to in this home; ask MLflow"
    assert not gone.ways
    assert Counterfactuals(wanted="yes").classes == ["yes"]
