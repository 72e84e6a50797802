"""Reason codes: what is said is what moved the answer, the largest first, and nothing that is protected is left out."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import configs.reasons as keys
import serving.reasons.codes as codes_of_serving
from configs.errors import InputError
from configs.load import load_use_case
from configs.settings import store
from serving.contract.contract import Column, Contract
from serving.reasons.codes import Codes, Coding, Usual, read, written
from serving.reasons.reasons import Explained, reasons_of
from serving.scoring.bundle import CODES, read_bundle
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of
from tasks.data.ingest import ingest
from tasks.onboarding.check import _unfavourable
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.explain import explain
from tasks.packaging.phrase import coding, phrase
from tasks.registry.lineage import lineage
from tasks.training.evaluate import evaluate
from tests.conftest import chain, small_frame, small_use_case

FEATURES = "{numeric: [a, b], categorical: [c]}"
NAMES = ("a", "b", "c", "d")
NUMBERS = Contract("demo", tuple(Column(name, "numeric", nullable=True) for name in NAMES), "y", ("no", "yes"))
QUARTILES = {name: Usual(low=1, middle=2, high=3) for name in NAMES}


def case(folder, reasons, features=FEATURES, **more):
    return small_use_case(folder, **{FEATURES: f"{features}\nreasons: {reasons}", **more})


def codes(contributions, outputs=None, values=None, contract=NUMBERS, **rules):
    """Of rows of contributions to NAMES, whose values are 4 where none are given."""
    rows, names = np.array(contributions, dtype=float), contract.names
    arrays = {name: np.full((len(rows), 1), 4, dtype=np.float32) for name in names} | (values or {})
    told = Codes(Coding(**{"most": 4, "unfavourable": ["no"], "usual": QUARTILES, **rules}), contract, names)
    places = np.zeros(len(rows), dtype=int) if outputs is None else np.array(outputs)
    return told.told(arrays, Explained(places, np.zeros(len(rows)), rows))


numbers = st.floats(-5, 5).map(lambda value: round(value, 3))


@given(
    st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=1, max_size=5),
    st.integers(1, 4),
    st.sampled_from([{}, {"g": ["a", "c"]}, {"g": ["b", "c"], "h": ["a", "d"]}]),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(["no", "yes"]),
)
def test_no_code_hides_what_moved_the_answer_most(rows, most, groups, protected, against):
    protected = protected - {column for columns in groups.values() for column in columns}
    told = codes(rows, most=most, groups=groups, protected=sorted(protected), unfavourable=[against])
    sign = 1 if against == "yes" else -1  # contributions are to the log odds of "yes"
    for row, said in zip(rows, told, strict=True):
        grouped = [name for several in groups.values() for name in several]
        alone = [[name] for name in NAMES if name not in grouped]
        moved = {tuple(unit): sign * sum(row[NAMES.index(name)] for name in unit) for unit in [*alone, *groups.values()]}
        towards = sorted((value for value in moved.values() if value > 1e-9), reverse=True)
        assert [code["moved"] for code in said][:most] == pytest.approx(towards[:most])
        for code in said:
            assert code["moved"] == pytest.approx(moved[tuple(code["columns"])])
        named = {tuple(code["columns"]) for code in said}
        assert all((name,) in named for name in protected if moved[(name,)] > 1e-9)
        assert len(said) <= most or all(code.get("protected") for code in said[most:])


def test_sides_of_several_classes_and_of_numbers():
    columns, contributions = NUMBERS.columns, [[2, -1, 0, 0], [2, -1, 0, 0]]
    several = Contract("demo", columns, "y", ("bad", "fine", "good"))
    by_answer = codes(contributions, [0, 2], contract=several, unfavourable=["bad"])
    assert [[each["columns"] for each in row] for row in by_answer] == [[["a"]], [["b"]]], "towards bad, and away from good"
    number = Contract("demo", columns, "y", (), problem="regression")
    assert codes(contributions[:1], contract=number, rising=True)[0][0]["columns"] == ["a"]
    assert codes(contributions[:1], contract=number)[0][0]["columns"] == ["b"]


def test_words():
    templates = {
        "a": {"above": ["debt ", ("a", "value"), ", at most ", ("a", "usual")], "7": ["seven"]},
        "b": {"": [("b", "value"), " not ", ("b", "low"), " ", ("b", "middle"), " ", ("b", "usual")]},
        "g": {"": ["both ", ("c", "value"), " and ", ("d", "usual")]},
    }

    def said(**values):
        arrays = {name: np.array([[value]], dtype=np.float32) for name, value in values.items()}
        groups = {"g": ["c", "d"]}
        (told,) = codes([[-4, -3, -1, -1]], values=arrays, templates=templates, groups=groups, usual=QUARTILES)
        return [each["says"] for each in told]

    assert said() == ["debt 4, at most 3", "4 not 1 2 3", "both 4 and 3"]
    assert said(a=7, b=0.1)[:2] == ["seven", "0.1 not 1 2 1"]
    assert said(a=1.5)[0] == "a is 1.5; 1 to 3 is usual", "words for above are not said of what lies below"
    assert said(a=np.nan, b=np.nan)[:2] == ["a is not known; 1 to 3 is usual", "b is not known; 1 to 3 is usual"]
    assert said(d=np.nan)[2] == "g: c is 4; 1 to 3 is usual; d is not known; 1 to 3 is usual"


def test_a_group_without_words_says_those_of_the_columns_that_moved_the_answer():
    (told,) = codes([[1, 0, -3, 1]], groups={"g": ["a", "c", "d"]}, templates={"c": {"": ["see c"]}}, usual={})
    assert told == [{"columns": ["a", "c", "d"], "says": "g: see c", "moved": 1.0}]


def test_choices_are_said_by_what_most_are():
    columns = (Column("c", "categorical", nullable=True), Column("f", "boolean"), Column("t", "text"))
    contract = Contract("demo", columns, "y", ("no", "yes"))
    usual = {"c": Usual(most="house"), "f": Usual(most="true")}
    arrays = {
        "c": np.array([["car"], ["house"], [""]], dtype=object),
        "f": np.array([[0], [1], [0]], dtype=np.float32),
        "t": np.array([["x" * 90], ["why"], [""]], dtype=object),
    }
    found = codes([[-3, -2, -1]] * 3, values=arrays, contract=contract, usual=usual)
    assert [[each["says"] for each in row] for row in found] == [
        ["c is car; house is usual", "f is false; true is usual", f"t is {'x' * 80}..."],
        ["c is house", "f is true", "t is why"],
        ["c is not known; house is usual", "f is false; true is usual", "t is not known"],
    ]


def test_the_file_of_a_release(tmp_path, home, quiet):
    rules = "{groups: {sums: [a, b]}, most: 1, templates: {sums: '{a} and {b.usual}', a: {1: one}, c: {red: it is red}}}"
    asked = case(tmp_path, rules, FEATURES.replace("}", ", rules: {c: {sensitive: true}}}"))
    snapshot, contract, parts, fitted = chain(asked)
    reasons = explain.fn(parts, contract, asked.recipe, fitted)
    content = (store("codes") / f"{phrase.fn(asked, parts, contract, asked.recipe, reasons)}.json").read_bytes()
    found = read(content)
    assert written(found) == content
    assert (found.most, found.unfavourable, found.groups) == (1, ["no"], {"sums": ["a", "b"]})
    assert found.templates["a"] == {"1": ["one"]}
    assert set(found.usual) == {"a", "b"}, "nothing of a column whose values the log must not keep"
    assert found.usual["a"].low < found.usual["a"].middle < found.usual["a"].high
    told = reasons_of((store("reasons") / f"{reasons}.npz").read_bytes(), content, contract_of(contract))
    arrays = contract_of(contract).encode([{"a": -2, "b": -1, "c": "red"}])
    (row,) = told.told(arrays, [[0.9, 0.1]])
    assert row["codes"][0]["says"] == f"-2 and {found.usual['b'].low:g}"
    assert row["codes"][0]["moved"] == pytest.approx(-row["contributions"]["a"] - row["contributions"]["b"])
    with pytest.raises(InputError, match="reasons: hist_gradient_boosting with these parameters gives none"):
        phrase.fn(asked, parts, contract, asked.recipe, None)
    plain = small_use_case(tmp_path)
    assert phrase.fn(plain, parts, contract, plain.recipe, reasons) is None

    evaluation, onnx = evaluate.fn(plain, parts, contract, fitted), convert.fn(parts, contract, plain.features, fitted)
    given = (plain, snapshot, contract, onnx, evaluation, lineage(plain, parts, None, contract, onnx), None, reasons)
    without, within = (bundle.fn(*given, codes) for codes in (None, hashlib.sha256(content).hexdigest()))
    assert (without, without != within) == (bundle.fn(*given), True)
    files = [json.loads((each.path / "manifest.json").read_text())["files"] for each in (without, within)]
    assert files[1] == files[0] | {CODES: hashlib.sha256(content).hexdigest()}, "nothing else of a bundle is another"
    assert read_bundle(within.path).codes == content


def test_the_server_and_use_cases_have_the_same_keys():
    assert all(getattr(codes_of_serving, name) == getattr(keys, name) for name in ("ALWAYS", "ABOVE", "BELOW"))


def test_when_reasons_are_given_travels_with_the_bundle(tmp_path, home, quiet):
    for give in ("always", "on request", "later"):
        asked = case(tmp_path, f"{{give: {give}}}")
        _, contract, parts, fitted = chain(asked)
        reasons = explain.fn(parts, contract, asked.recipe, fitted)
        content = (store("codes") / f"{phrase.fn(asked, parts, contract, asked.recipe, reasons)}.json").read_bytes()
        assert read(content).give == give
    assert b"give" not in written(Coding(most=4)), "what was the rule before is written as before"
    assert case(tmp_path, "{give: on request}").model_dump_json() == case(tmp_path, "{}").model_dump_json()


@pytest.mark.parametrize("kept", ["hash", "omit"])
def test_what_the_log_does_not_keep_cannot_be_explained_later(tmp_path, home, kept):
    secret = FEATURES.replace("}", ", rules: {c: {sensitive: true}}}")
    with pytest.raises(InputError, match=r"'reasons\.give': later, .* has no values of c; write 'log: {sensitive"):
        case(tmp_path, f"{{give: later}}\nlog: {{sensitive: {kept}}}", secret)
    assert case(tmp_path, "{give: later}\nlog: {sensitive: keep}", secret).reasons.give == "later"
    with pytest.raises(InputError, match=r"reasons\.give"):
        case(tmp_path, "{give: never}")


def test_a_use_case_without_the_block_is_what_it_was(tmp_path, home):
    plain, told = small_use_case(tmp_path), case(tmp_path, "{}")
    assert "reasons" not in plain.model_dump()
    digests = [hashlib.sha256(each.model_dump_json().encode()).hexdigest() for each in (plain, told)]
    assert digests[0] != digests[1]
    assert told.model_copy(update={"reasons": None}).model_dump_json() == plain.model_dump_json()


def test_a_use_case_is_read_again_from_what_it_was_written_as(tmp_path):
    asked = case(tmp_path, "{templates: {a: {above: 'over {usual}', 1: one}, b: 'b {value}'}, unfavourable: 'no'}")
    assert type(asked).model_validate_json(asked.model_dump_json()) == asked
    assert asked.reasons.templates == {"a": {"above": "over {usual}", "1": "one"}, "b": {"": "b {value}"}}


NUMBER = {'target: {column: y, positive: "yes"}': "target: {column: y, problem: regression}", "roc_auc": "r2"}


@pytest.mark.parametrize(
    ("reasons", "told", "more"),
    [
        ("{templates: {aa: x}}", "'reasons.templates.aa': no feature and no group has that name; did you mean 'a'?", {}),
        ("{templates: {a: '{valeu}'}}", "'reasons.templates.a': {valeu} is no placeholder; did you mean 'value'?", {}),
        ("{templates: {a: '{value'}}", "'reasons.templates.a': '{' stands alone; write '{{' for the sign itself", {}),
        ("{templates: {c: '{high}'}}", "'reasons.templates.c': of 'c' {high} is not known; what is: value, usual", {}),
        ("{templates: {c: {above: x}}}", "'above' what is usual is known only of numbers", {}),
        ("{templates: {a: {many: x}}}", "'many' is no value of a number; write above, below or a number", {}),
        ("{groups: {g: [a, b]}, templates: {g: {above: x}}}", "a group has one template for all values", {}),
        ("{groups: {g: [a, b]}, templates: {g: '{c}'}}", "{c} is no placeholder of a group of a, b;", {}),
        ("{groups: {g: [a, b]}, templates: {g: '{a.more}'}}", "{a.more} is no placeholder of a group of a, b;", {}),
        ("{groups: {g: [a, x]}}", "'reasons.groups.g': 'x' is no feature; known: a, b, c", {}),
        ("{groups: {g: [a, x]}, templates: {g: '{x}'}}", "'reasons.groups.g': 'x' is no feature; known: a, b, c", {}),
        ("{groups: {c: [a, b]}}", "'reasons.groups': 'c' is a feature; give the group a name of its own", {}),
        ("{groups: {g: [a]}}", "'groups': 'g' has 1 columns; a group has two or more", {}),
        ("{groups: {g: [a, b], h: [b, c]}}", "'groups': 'b' is listed twice; a column says one thing", {}),
        ("{proxies: [c]}", "'reasons.on_protected': 'c' is a declared proxy of one and a feature", {}),
        ("{proxies: [c], on_protected: tell, groups: {g: [a, c]}}", "'c' is protected, or a proxy, and must not hide", {}),
        ("{unfavourable: []}", "'unfavourable' lists no class", {}),
        ("{most: 0}", "'reasons.most': input should be greater than or equal to 1, found 0", {}),
        ("{on_protectd: tell}", "unknown key 'reasons.on_protectd'; did you mean 'on_protected'?", {}),
        ("{}", "write which is not wanted: higher or lower", NUMBER),
        ("{}\nmodel: {pipeline: 'own:build'}", "'reasons': the model is own:build, and no reasons are known of such", {}),
        (
            "{}\nfairness: {protected: [c], criteria: {selection_rate: {ratio: 0.8}}}",
            "'reasons.on_protected': 'c' is a protected column and a feature, so it would be a reason; take it out of",
            {},
        ),
        (
            "{unfavourable: 'yes'}\nfairness: {protected: [d], criteria: {selection_rate: {ratio: 0.8}}}",
            "'reasons.unfavourable': 'yes' is what 'fairness' takes for favourable; no answer is both",
            {},
        ),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, reasons, told, more):
    with pytest.raises(InputError) as raised:
        case(tmp_path, reasons, **more)
    assert told in str(raised.value)
    assert str(raised.value).startswith("small.yaml:")


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ("{unfavourable: maybe}", "reasons.unfavourable: 'maybe' is no value of 'y'; found 'no', 'yes'"),
        ("{unfavourable: ['no', 'yes']}", "reasons.unfavourable lists every class; leave out the one that people want"),
        ("{proxies: [x]}", "reasons.proxies: the source has no column 'x'; known: a, b, c, y"),
    ],
)
def test_what_the_rows_do_not_have_stops_a_release(tmp_path, home, quiet, reasons, told):
    asked = case(tmp_path, reasons)
    with pytest.raises(InputError) as raised:
        derive_contract.fn(asked, ingest.fn(asked, None))
    assert told in str(raised.value)
    if "proxies" not in reasons:
        assert [each for each in _unfavourable(asked, small_frame()) if told in each]


def test_a_protected_feature_is_named_where_the_use_case_says_so(tmp_path, home):
    tell = "{on_protected: tell, most: 1}\nfairness: {protected: [c, d], criteria: {selection_rate: {ratio: 0.8}}}"
    asked = case(tmp_path, tell)
    contract = Contract(
        "small", (Column("a", "numeric"), Column("b", "numeric"), Column("c", "categorical")), "y", ("no", "yes")
    )
    assert coding(asked, contract, small_frame()).protected == ["c"]


def test_loans_are_denied_in_words():
    asked = load_use_case("loans")
    assert asked.reasons.pieces("obrat", asked.reasons.templates["obrat"]["above"])[1] == ("obrat", "value")
    assert json.loads(asked.model_dump_json())["reasons"]["unfavourable"] == 0
