import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contract.contract import Column, Contract, ContractError, contract_json, read_contract

NUMBERS = st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-(2**60), 2**60))
WORDS = st.one_of(st.none(), st.text(max_size=8))
CONTRACT = Contract(
    "demo",
    (Column("size", "numeric", nullable=True), Column("colour", "categorical", nullable=True)),
    "y",
    (0, 1),
)


@given(st.lists(st.fixed_dictionaries({}, optional={"size": NUMBERS, "colour": WORDS}), min_size=1, max_size=20))
def test_records_and_tables_encode_alike(records):
    """Training reads tables and serving reads records: the same values must become the same model input."""
    from_records = CONTRACT.encode(records)
    sizes = np.array([math.nan if r.get("size") is None else float(r["size"]) for r in records])
    from_table = CONTRACT.encode_columns({"size": sizes, "colour": [r.get("colour") for r in records]})
    assert from_records["size"].dtype == np.float32
    assert from_records["size"].shape == (len(records), 1)
    np.testing.assert_array_equal(from_records["size"], from_table["size"])
    assert from_records["colour"].tolist() == from_table["colour"].tolist()


@given(st.lists(NUMBERS, min_size=1, max_size=40), st.floats(-100, 100), st.floats(0, 100))
def test_bounds_hold_for_lists_and_arrays_alike(values, minimum, width):
    column = Column("size", "numeric", nullable=True, minimum=minimum, maximum=minimum + width)
    array = np.array([math.nan if v is None else float(v) for v in values])

    def outcome(given_values):
        try:
            return column.encode(given_values).tobytes()
        except ContractError as error:
            return error.row, error.problem

    assert outcome([None if v is None else float(v) for v in values]) == outcome(array)


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        (Column("x", "numeric"), None, "may not be null"),
        (Column("x", "numeric"), "5", "must be a number, found '5'"),
        (Column("x", "numeric"), True, "must be a number, found True"),
        (Column("x", "numeric"), 1e39, "fits in 32 bits"),
        (Column("x", "numeric"), math.inf, "fits in 32 bits"),
        (Column("x", "numeric"), 10**400, "fits in 32 bits"),
        (Column("x", "numeric", minimum=0), -1, "-1 is below the minimum 0"),
        (Column("x", "numeric", maximum=9), 10, "10 is above the maximum 9"),
        (Column("x", "categorical"), None, "may not be null"),
        (Column("x", "categorical"), ["a"], "must be a string"),
        (Column("x", "categorical", allowed=("a", "b")), "c", "'c' is not one of a, b"),
    ],
)
def test_refuses_with_column_row_and_what_would_be_right(column, value, problem):
    good = 1.0 if column.kind == "numeric" else "a"
    with pytest.raises(ContractError) as caught:
        column.encode([good, value])
    assert problem in str(caught.value)
    assert (caught.value.column, caught.value.row) == ("x", 1)


def test_whole_numbers_are_one_category_however_they_come():
    column = Column("unit", "categorical", nullable=True)
    assert column.encode([3, 3.0, "3", None]).ravel().tolist() == ["3", "3", "3", ""]


def test_values_outside_the_training_range_are_served_and_counted():
    column = Column("temp", "numeric", nullable=True, low=0, high=10)
    for rows in (1, 100):
        assert column.unseen(column.encode([20.0] * rows + [5.0, None])) == rows
    place = Column("dest", "categorical", nullable=True, categories=("ATL",))
    assert place.unseen(place.encode(["ATL", "XYZ", None])) == 1


def test_unknown_column_is_named_with_the_known_ones():
    with pytest.raises(ContractError, match="row 0, column 'sise': is not in the contract; known: size, colour"):
        CONTRACT.encode([{"sise": 1}])


def test_json_is_canonical_and_comes_back(tmp_path):
    path = tmp_path / "contract.json"
    path.write_bytes(contract_json(CONTRACT))
    assert read_contract(path) == CONTRACT
    assert contract_json(read_contract(path)) == path.read_bytes()
