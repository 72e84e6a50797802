"""Who meets which arm: by a hash of the key alone, so exact over processes, protocols and stages."""

import itertools
import json
import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import PROJECT
from serving.contract.contract import Column, Contract
from serving.contract.records import Records
from serving.traffic.assign import WHOLE, Assignment, draw, intervals
from serving.traffic.plan import Arm, Cohort, Plan, PlanError, read_plan

CONTRACT = Contract(
    "demo",
    (
        Column("size", "numeric", nullable=True),
        Column("member", "boolean", nullable=True),
        Column("colour", "categorical", nullable=True),
        Column("since", "datetime", nullable=True),
    ),
    "y",
    (0, 1),
    identifiers=("customer",),
)
RECORDS = Records(CONTRACT)
SHARES = st.floats(0, 1)


def arm(name, share, **more):
    return Arm(name, "2", f"demo-{name}", ("http://127.0.0.1:1",), share, **more)


def plan(*arms, key="customer", **more):
    return Plan("p", "rollout 7", key, arms=arms, **more)


def records(*values, name="customer"):
    return RECORDS.read([msgspec.Raw(json.dumps({name: value}).encode()) for value in values])


def met(plan, rows, ids=None):
    return Assignment(plan, RECORDS).arms(rows, ids or [f"id-{n}" for n in range(len(rows))])


@given(SHARES, SHARES, st.text(min_size=1, max_size=10))
def test_shares_are_realised_within_binomial_bounds(one, other, salt):
    """Six standard deviations: wrong once in five hundred million runs."""
    challenger, baseline = sorted((one, other))[0] / 2, sorted((one, other))[1] / 2
    rows, count = records(*range(1500)), 1500
    found = met(Plan("p", salt, "customer", arms=(arm("challenger", challenger), arm("baseline", baseline))), rows)
    for name, share in (("challenger", challenger), ("baseline", baseline), ("champion", 1 - challenger - baseline)):
        assert abs(found.count(name) - count * share) <= 6 * math.sqrt(count * share * (1 - share)) + 1e-6


@given(SHARES, SHARES, st.floats(0, 0.3))
def test_a_share_that_grows_moves_people_only_into_its_arm(one, other, baseline):
    before, after = sorted((one * 0.7, other * 0.7))
    rows = records(*range(300))
    first, second = (met(plan(arm("baseline", baseline), arm("challenger", share)), rows) for share in (before, after))
    moved = [(old, new) for old, new in zip(first, second, strict=True) if old != new]
    assert all((old, new) == ("champion", "challenger") for old, new in moved)
    shadowed = met(plan(arm("challenger", before), key=None), rows)
    assert shadowed == met(plan(arm("challenger", before), key=None), rows)


@given(st.lists(st.tuples(st.sampled_from(["baseline", "challenger", "b", "c"]), SHARES), unique_by=lambda each: each[0]))
def test_arms_lie_apart_and_have_their_shares(chosen):
    total = sum(share for _, share in chosen) or 1
    arms = [arm(name, share / max(total, 1)) for name, share in chosen]
    ends = sorted(intervals(arms))
    assert all(before[1] <= after[0] + 2**14 for before, after in itertools.pairwise(ends))  # 2**-50, of rounding
    assert {name: (high - low) / WHOLE for low, high, name in ends} == pytest.approx(
        {each.name: each.share for each in arms if each.share > 2**-64}, abs=1e-12
    )


def test_the_ends_of_a_share_are_nobody_and_everybody():
    rows = records(*range(200))
    assert set(met(plan(arm("challenger", 0)), rows)) == {"champion"}
    assert set(met(plan(arm("challenger", 1)), rows)) == {"challenger"}


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("customer", [5, "5"]),
        ("colour", [5, "5", 5.0]),
        ("colour", [True, "true"]),
        ("size", [5, 5.0, 5.000000001]),
        ("size", [0.1, float(np.float32(0.1))]),
        ("member", [True, 1, 1.0]),
        ("since", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01 12:00:00"]),
    ],
)
def test_a_value_is_one_key_however_it_is_written(name, spellings):
    shares = [plan(arm("challenger", share / 16), key=name) for share in range(17)]
    assert len({tuple(met(each, records(value, name=name))[0] for each in shares) for value in spellings}) == 1
    for value in spellings:
        cohort = plan(arm("challenger", 0), cohorts=(Cohort((value,), "challenger", name),))
        assert set(met(cohort, records(*spellings, name=name))) == {"challenger"}


def test_an_identifier_is_exact():
    assert len({draw("s")(text) for text in ("5", "05", "5.0", " 5")}) == 4


def test_tensors_meet_what_json_meets():
    numbers = np.array([0.1, 5, 7.25], dtype=np.float32)
    table = {"size": numbers, "member": np.array([True, False, True]), "colour": ["a", "b", ""], "since": [None] * 3}
    table["customer"] = np.array([1, 2, 2**53 + 1])
    from_columns, _ = RECORDS.from_columns(table)
    by_name = RECORDS.read(
        [
            msgspec.Raw(json.dumps({"size": size, "member": member, "customer": customer, "colour": colour}).encode())
            for size, member, customer, colour in zip(
                [0.1, 5, 7.25], [True, False, True], ["1", 2, 2**53 + 1], ["a", "b", None], strict=True
            )
        ]
    )
    for key in ("size", "member", "customer", "colour"):
        for share in (0.2, 0.4, 0.6, 0.8):
            for without in ("champion", "each"):
                wanted = plan(arm("challenger", share), key=key, without=without)
                assert met(wanted, from_columns) == met(wanted, by_name)


def test_another_process_finds_the_same():
    rows = records(*range(50))
    program = (
        "from tests.unit.test_traffic_plan import *; print(' '.join(met(plan(arm('challenger', 0.3)), records(*range(50)))))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == met(plan(arm("challenger", 0.3)), rows)


def test_the_numbers_are_fixed_for_ever():
    """Another version of the server that moved people would spoil every experiment under way."""
    found = [draw("rollout 7")(text) for text in ("1", "customer", "é")]
    assert found == [618698039878453932, 145086420986123583, 16672024839082241281]


def test_without_a_key_a_row_is_the_champions_or_by_itself():
    rows, ids = records(*[None] * 40, ""), [f"id-{n}" for n in range(41)]
    assert set(met(plan(arm("challenger", 0.5)), rows)) == {"champion"}
    each = met(plan(arm("challenger", 0.5), without="each"), rows, ids)
    assert each == met(plan(arm("challenger", 0.5), key=None), rows, ids)
    assert 5 < each.count("challenger") < 36
    assert met(plan(arm("challenger", 0.5), key=None), rows[:3], ids[5:8]) == each[5:8]  # a retry with the client's own ids


def test_a_cohort_always_meets_its_arm_and_the_first_counts():
    rows = records(1, 2, 3, 4)
    cohorts = (Cohort(("2", 3), "challenger"), Cohort((3, 4), "champion"))
    assert met(plan(arm("challenger", 0), cohorts=cohorts), rows) == ["champion", "challenger", "challenger", "champion"]
    everybody = met(plan(arm("challenger", 1), cohorts=cohorts), rows)
    assert everybody == ["challenger", "challenger", "challenger", "champion"]
    by_colour = plan(arm("challenger", 0), cohorts=(Cohort(("red",), "challenger", "colour"),))
    assert met(by_colour, records("red", "blue", None, name="colour")) == ["challenger", "champion", "champion"]


@given(SHARES)
def test_shadows_are_drawn_apart_from_arms(share):
    ids = [f"id-{n}" for n in range(1000)]
    both = Plan("p", "s", arms=(arm("challenger", 0.5),), shadows=(arm("copy", share),))
    assignment = Assignment(both, RECORDS)
    taken = assignment.arms([None] * 1000, ids)
    ((_, places),) = assignment.copies(ids) or [(None, [])]
    assert abs(len(places) - 1000 * share) <= 6 * math.sqrt(1000 * share * (1 - share)) + 1e-6
    inside = sum(taken[place] == "challenger" for place in places)
    assert abs(inside - len(places) / 2) <= 3.2 * math.sqrt(len(places)) + 1  # six deviations of half of them
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"arms": [{"name": "challenger", "version": "2", "release": "r", "share": 1.5}]},
            r"<= 1.0 - at `\$.arms\[0\].share`",
        ),
        ({"arms": [{"name": "champion", "version": "2", "release": "r"}]}, "no arm can be named 'champion'"),
        ({"arms": [{"name": "shadow", "version": "2", "release": "r"}]}, "no arm can be named 'shadow'"),
        ({"arms": [{"name": n, "version": "2", "release": "r", "share": 0.6} for n in "ab"]}, "the arms' shares make 1.2"),
        ({"arms": [{"name": "a", "version": "2", "release": "r"}] * 2}, "two arms are named 'a'"),
        ({"arms": [{"name": "a", "version": "2", "release": "r", "addresses": ["tcp://x"]}]}, "'tcp://x' is no address"),
        ({"arms": [{"name": "a", "version": "2", "release": "r", "addresses": ["http://x:1/y\r\nz"]}]}, "is no address"),
        ({"cohorts": [{"values": ["a"], "arm": "b", "column": "c"}]}, "a cohort gets arm 'b'; known: champion"),
        ({"cohorts": [{"values": ["a"], "arm": "champion"}]}, "names no column, and the plan has no key"),
        ({"late_ms": 0}, "late_ms"),
        ({"id": ""}, "id"),
        ({"shares": 1}, "unknown field `shares`"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_says_why(change, told):
    with pytest.raises(PlanError, match=told):
        read_plan(json.dumps({"id": "p", "salt": "s", **change}).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"id": "p"}'])
def test_what_is_no_plan_is_told(data):
    with pytest.raises(PlanError):
        read_plan(data)


def test_a_column_that_the_contract_has_not_is_told():
    with pytest.raises(PlanError, match="'shop' is no column or identifier of the contract; known: size, member"):
        Assignment(plan(key="shop"), RECORDS)
    with pytest.raises(PlanError, match="a cohort of 'size' has 'large': must be a number"):
        Assignment(plan(cohorts=(Cohort(("large",), "champion", "size"),)), RECORDS)
    with pytest.raises(PlanError, match="'shop'"):
        Assignment(plan(cohorts=(Cohort(("a",), "champion", "shop"),)), RECORDS)
