"""What moves the answers of a window: also where the log does not keep what some columns hold."""

from itertools import permutations

import numpy as np
import pytest

from configs.errors import InputError
from configs.schema import Model
from serving.reasons.reasons import Reasons
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.explaining.attributions import attributions, without
from tasks.monitoring.drift.null import COLUMNS_SHARE, OTHER_SHARE, columns_share
from tasks.monitoring.drift.watch_reasons import sampled
from tasks.monitoring.findings import told_reasons
from tasks.monitoring.values import ReasonDrift, ReasonFlow
from tasks.packaging.explain import additive, plain
from tasks.training.fitted import load
from tests.conftest import chain, small_frame, small_use_case
from tests.unit.test_reasons import every_output, explained


def fitted(folder, model):
    case = small_use_case(folder, small_frame(500)).model_copy(update={"model": model})
    _, contract, parts, found = chain(case)
    columns = contract_of(contract)
    rows = encode(columns, read_rows(parts.snapshot, parts.cut, parts.snapshot.rows))
    return additive(plain(load(found)), case.recipe, parts, columns), columns, model_input(rows)


def by_definition(paths, owners, numbers, known):
    """Shapley values of one row of numbers among the known columns, by all orders in which they may become known."""

    def answer(columns):
        total = 0.0
        for leaf, (start, stop) in enumerate(zip(paths.starts[:-1], paths.starts[1:], strict=True)):
            value = paths.values[leaf, 0]
            for at in range(start, stop):
                if owners[paths.feature[at]] in columns:
                    value *= paths.low[at] < numbers[paths.feature[at]] <= paths.high[at]
                else:
                    value *= paths.ratio[at]
            total += value
        return total

    found, orders = np.zeros(max(owners) + 1), list(permutations(known))
    for order in orders:
        for place, column in enumerate(order):
            found[column] += (answer(order[: place + 1]) - answer(order[:place])) / len(orders)
    return found


def test_an_unknown_column_of_trees_counts_as_the_share_that_went_each_way(home, quiet, tmp_path):
    model, columns, arrays = fitted(tmp_path, Model(estimator="hist_gradient_boosting", parameters={"max_iter": 3}))
    whole, partly = Reasons(model, columns), Reasons(without(model, columns, ["a"]), columns)
    assert set(partly.columns) == {"b", "c"}
    numbers = whole._encoding.matrix(arrays).astype(np.float32)
    known = [place for place, name in enumerate(whole.columns) if name != "a"]
    found = attributions(partly, arrays)
    for row in range(4):
        expected = by_definition(model.paths, whole._encoding.owners, numbers[row], known)
        by_name = dict(zip(whole.columns, expected, strict=True))
        np.testing.assert_allclose(found[row], [by_name[name] for name in partly.columns], atol=1e-9)
    one = {name: array for name, array in arrays.items() if name != "a"}
    np.testing.assert_array_equal(attributions(partly, one), found)


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "logistic_regression"])
def test_who_knows_nothing_is_told_the_base_and_who_knows_all_everything(home, quiet, tmp_path, estimator):
    model, columns, arrays = fitted(tmp_path, Model(estimator=estimator))
    whole = Reasons(model, columns)
    answered = np.zeros((len(arrays["a"]), 1))
    usual = whole.explain(arrays, answered)
    same = Reasons(without(model, columns, []), columns).explain(arrays, answered)
    np.testing.assert_allclose(same.contributions, usual.contributions, atol=1e-12)
    partly = Reasons(without(model, columns, ["b", "c"]), columns).explain(arrays, answered)
    assert partly.base[0] == pytest.approx(usual.base[0])
    assert partly.contributions.shape[1] == 1
    nothing = without(model, columns, ["a", "b", "c"])
    assert nothing.described.columns == []
    if model.weights is not None:  # what columns add does not depend on others
        place = whole.columns.index("a")
        np.testing.assert_allclose(partly.contributions[:, 0], usual.contributions[:, place])


def test_of_several_classes_the_likeliest_is_attributed(home, quiet, tmp_path):
    _, reasons, rows, _, _ = explained(tmp_path, "multiclass", Model(estimator="hist_gradient_boosting"))
    base, every = every_output(reasons, rows)
    sums = base + every.sum(axis=1)
    expected = every[np.arange(len(rows)), :, sums.argmax(axis=1)]
    np.testing.assert_allclose(attributions(reasons, model_input(rows)), expected)


def test_a_window_is_explained_as_densely_as_the_reference():
    assert sampled(700, 1000, 1000) == 333
    assert sampled(100, 20_000, 50_000) == 40


def test_an_alarm_of_reasons_takes_its_share_from_the_columns(tmp_path):
    case = small_use_case(tmp_path)
    assert columns_share(case.monitoring) == COLUMNS_SHARE
    alarming = small_use_case(tmp_path, **{"100 rows": "100 rows, reasons: alarm"})
    assert columns_share(alarming.monitoring) + OTHER_SHARE == COLUMNS_SHARE
    with pytest.raises(InputError, match="reasons"):
        small_use_case(tmp_path, **{"100 rows": "100 rows, reasons: shout"})


def test_what_moved_is_told_farthest_first():
    flow = ReasonFlow(
        columns={
            "a": ReasonDrift(score=1.2, now=0.5, before=0.25, shift=0.2),
            "b": ReasonDrift(score=2, now=0.125, before=1, shift=0.7),
            "c": ReasonDrift(score=0.9, now=1, before=1, shift=0),
        },
        scale="log_odds",
    )
    little = flow.columns["b"].model_copy(update={"shift": 0.01})
    assert flow.model_copy(update={"columns": {**flow.columns, "b": little}}).moved == ["a"]
    assert told_reasons(flow) == "reasons moved: b (1 to 0.125), a (0.25 to 0.5) log_odds"
    assert flow.highest == 2
    assert told_reasons(ReasonFlow()) == "reasons as they were"
