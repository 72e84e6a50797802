import gc

import numpy as np
import pandas as pd
import pytest

from configs.errors import InputError
from tasks.data.derive_contract import derive_contract
from tasks.data.ingest import ingest
from tasks.data.validate import validate
from tests.conftest import small_frame, small_use_case


def run(tmp_path, frame, champion=None, **replace):
    case = small_use_case(tmp_path, frame, **replace)
    snapshot = ingest.fn(case, None)
    contract = derive_contract.fn(case, snapshot)
    return validate.fn(case, snapshot, contract, champion), contract


def test_data_docs_are_kept(home, quiet, tmp_path):
    from pathlib import Path

    found, _ = run(tmp_path, small_frame())
    assert "contract" in Path(found.report).read_text()
    assert found.expectations > 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f.assign(y="yes"), "target.column: 'y' is 'yes' in every row"),
        (lambda f: f.assign(y="no"), "target.positive: 'yes' is not a value of 'y'; found 'no'"),
        (lambda f: f.assign(y=np.where(f.a > 1, "maybe", f.y)), "has 3 values"),
        (lambda f: f.assign(c=f.y), "column 'c' is equal to the target 'y'"),
        (lambda f: f.assign(a=np.where(f.y == "yes", 1.0, 0.0) + f.b * 1e-3), "column 'a' alone gives AUC 1.000"),
        (lambda f: f.assign(c=np.where(f.y == "yes", "good", "bad")), "column 'c' alone gives AUC 1.000"),
        (lambda f: f.assign(a=f.c), "source.tables.rows: line 2, column 'a': must be a number"),
    ],
)
def test_targets_and_leaks_are_refused_by_column(home, quiet, tmp_path, change, told):
    with pytest.raises(InputError) as caught:
        run(tmp_path, change(small_frame()))
    assert told in str(caught.value)


def test_names_are_no_leak(home, quiet, tmp_path):
    """A category that is unique in each row would give AUC 1 if it were judged on the rows it was learned from."""
    frame = small_frame()
    run(tmp_path, frame.assign(c=[f"name-{i}" for i in range(len(frame))]))


def test_declared_bounds_fail_with_the_row(home, quiet, tmp_path):
    frame = small_frame()
    frame.loc[7, "a"] = 99.0
    rules = {"categorical: [c]}": "categorical: [c], rules: {a: {maximum: 50}}}"}
    with pytest.raises(InputError, match=r"column 'a': values to be between .*fails for 1 rows.*99\.0"):
        run(tmp_path, frame, **rules)


def test_a_column_that_was_never_null_may_not_become_null(home, quiet, tmp_path):
    frame = small_frame()
    _, champion = run(tmp_path, frame)
    with pytest.raises(InputError, match="column 'b': values to not be null fails for 3 rows"):
        run(tmp_path, frame.assign(b=frame.b.mask(frame.index < 3)), champion)


def test_no_rows_stay_in_memory_behind_it(home, quiet, tmp_path):
    """Great Expectations keeps its last context for as long as the process lives."""
    rows = len(small_frame()) - 3
    run(tmp_path, small_frame().iloc[:rows])
    kept = [each for each in gc.get_objects() if isinstance(each, pd.DataFrame) and len(each) == rows]
    assert not kept
