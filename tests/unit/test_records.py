"""The record type and the contract must agree on every record: what one takes the other takes, and to the same input."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contract.contract import Column, Contract, ContractError
from serving.contract.records import Records

CONTRACT = Contract(
    "demo",
    (
        Column("colour", "categorical", allowed=("red", "1", "2.5"), nullable=True),
        Column("size", "numeric", nullable=True, minimum=-5, maximum=10),
        Column("no-identifier", "numeric", low=0, high=1),
        Column("word", "categorical", categories=("a",)),
    ),
    "y",
    (0, 1),
    identifiers=("customer",),
)
RECORDS = Records(CONTRACT)
STRICT = msgspec.json.Decoder(list[RECORDS.strict])
LENIENT = msgspec.json.Decoder(list[RECORDS.lenient])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "red", "1", "2.5", "blue", "a"]),
    st.sampled_from([0, 1, 2, 2.5, -5, 10, 3.0]),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=1),
)
GOOD = {"colour": "red", "size": 1, "no-identifier": 0.5, "word": "a"}


def encoded(text):
    """What the server makes of records: strictly, or else leniently."""
    try:
        rows = STRICT.decode(text)
    except msgspec.ValidationError:
        rows = LENIENT.decode(text)
        RECORDS.check(rows)
    return RECORDS.feeds(RECORDS.inputs(rows))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*CONTRACT.names, "customer", "stray"), VALUES)))
def test_the_type_and_the_contract_agree(change):
    record = {**GOOD, **change}
    text = json.dumps([record]).encode()
    record = {key: value for key, value in record.items() if key != "customer" or not isinstance(value, str | int)}
    try:
        wanted = CONTRACT.encode([json.loads(json.dumps(record))])
    except ContractError:
        wanted = None
    try:
        found = encoded(text)
    except (msgspec.ValidationError, ContractError):
        found = None
    if change.get("customer") is not None and not isinstance(change["customer"], str | int):
        return  # an identifier is the log's, not the contract's: only the type refuses it
    if isinstance(change.get("customer"), bool):
        return
    assert (found is None) == (wanted is None), record
    if found is not None:
        assert found.keys() == wanted.keys()
        for name in found:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
            assert (found[name].dtype, found[name].shape) == (wanted[name].dtype, wanted[name].shape)


@given(
    st.lists(st.fixed_dictionaries({}, optional={"size": st.one_of(st.none(), st.floats(-5, 10))}), min_size=1, max_size=30)
)
def test_columns_and_records_encode_alike(changes):
    records = [{**GOOD, **change} for change in changes]
    from_records = encoded(json.dumps(records).encode())
    table = {name: [record.get(name) for record in records] for name in CONTRACT.names}
    rows, inputs = RECORDS.from_columns(table)
    from_columns = RECORDS.feeds(inputs)
    for name in from_records:
        np.testing.assert_array_equal(from_records[name], from_columns[name])
    logged = json.loads(msgspec.json.encode(rows))
    assert RECORDS.feeds(RECORDS.inputs(RECORDS.convert(logged))).keys() == from_records.keys()


@pytest.mark.parametrize("name", ["size", 'si "ze"'])
def test_fields_that_nobody_knows_are_passed_over_where_that_is_asked(name):
    contract = Contract("demo", (Column(name, "numeric"), Column("word", "categorical")), "y", (0, 1))
    raws = [msgspec.Raw(json.dumps({name: 1, "word": word, "other": [1]}).encode()) for word in ("a", 5)]
    for cut in (raws[:1], raws):  # strictly, and leniently
        found = Records(contract, others=True)
        assert [found.fields(row) for row in found.read(cut)] == [{name: 1.0, "word": "a"}, {name: 1.0, "word": "5"}][
            : len(cut)
        ]
        with pytest.raises(ContractError, match="is not in the contract"):
            Records(contract).read(cut)


def test_every_fault_is_named_at_once():
    wrong = [
        {**GOOD, "size": 11, "word": ""},
        GOOD,
        {"colour": "blue", "no-identifier": "x", "word": ["a"], "extra": 1},
    ]
    error = RECORDS.faults(wrong)
    assert [(fault.row, fault.column) for fault in error.faults] == [
        (0, "size"),
        (0, "word"),
        (2, "extra"),
        (2, "colour"),
        (2, "no-identifier"),
        (2, "word"),
    ]
    assert "row 0, column 'size': 11 is above the maximum 10" in str(error)
    assert "is not in the contract; known: colour, size, no-identifier, word, customer" in error.faults[2].problem


def test_numbers_are_categories_as_the_contract_spells_them():
    feeds = encoded(b'[{"colour":2.5,"no-identifier":0,"word":3.0},{"colour":1,"no-identifier":0,"word":7}]')
    assert feeds["colour"].ravel().tolist() == ["2.5", "1"]
    assert feeds["word"].ravel().tolist() == ["3", "7"]


def test_what_training_did_not_show_is_counted():
    inputs = RECORDS.inputs(STRICT.decode(json.dumps([GOOD, {**GOOD, "no-identifier": 2, "word": "z"}])))
    assert RECORDS.unseen(inputs) == {"no-identifier": 1, "word": 1, "colour": 2}


@pytest.mark.parametrize("number", ["1e39", "-1e39", "1e400", str(10**50)])
def test_what_32_bits_cannot_hold_is_refused(number):
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        LENIENT.decode(f'[{{"no-identifier":{number},"word":"a"}}]')
    assert not math.isfinite(float(number)) or abs(float(number)) > 3.4e38
