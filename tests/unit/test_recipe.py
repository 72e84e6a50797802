"""What to learn from: folds that never look ahead, a history that is chosen only on evidence, candidates that repeat."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.schema import Training
from tasks.data.frames import read_rows
from tasks.training.folds import best, forward_folds
from tasks.training.try_recipe import try_recipe
from tasks.training.values import ChosenRecipe
from tests.conftest import chain, small_frame, small_use_case

MORE = """  time_column: at
  label_delay: 2 days
split: {holdout: 10 days}
model: {parameters: {max_iter: 15}}"""
HISTORIES = ["all", "20 days", "half-life 10 days"]


@pytest.fixture
def timed(home, tmp_path, quiet):
    """The small use case over 100 days; the label turns around after `turn` of them."""

    def made(turn=None, **training):
        frame = small_frame(rows=3000)
        frame.insert(0, "at", pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(3000) * 48, unit="min"))
        if turn is not None:
            frame.loc[frame["at"] >= pd.Timestamp("2026-01-01") + pd.Timedelta(days=turn), ["a", "b"]] *= -1
        case = small_use_case(tmp_path, frame, **{"\ntarget:": f"\n{MORE}\ntarget:"})
        return case.model_copy(update={"training": Training(**training)})

    return made


def scores(case):
    snapshot, contract, parts, _ = chain(case)
    folds = forward_folds(case, parts)
    recipes = [case.recipe.model_copy(update={"history": history}) for history in case.training.history]
    return np.array([[try_recipe.fn(snapshot, *fold, contract, r, "roc_auc") for fold in folds] for r in recipes])


def test_folds_lie_before_the_holdout_and_know_only_labels_that_had_come(timed):
    case = timed(folds=4)
    snapshot, _, parts, _ = chain(case)
    times = read_rows(snapshot, 0, snapshot.rows, ["at"])["at"]
    folds = forward_folds(case, parts)
    assert len(folds) == 4
    assert folds[0].stop == parts.learn
    for fold in folds:
        assert 0 < fold.learn <= fold.start < fold.stop <= parts.learn
        assert times[fold.learn - 1] + pd.Timedelta(days=2) <= times[fold.start]
        assert fold.learn == fold.start - 60 or times[fold.learn] + pd.Timedelta(days=2) > times[fold.start]


def test_where_the_world_has_changed_the_old_rows_are_left_out(timed):
    found = scores(timed(turn=45, history=HISTORIES))
    place, why = best("roc_auc", found)
    assert HISTORIES[place] == "20 days", (found, why)
    assert "a gain of +0." in why


def test_where_it_has_not_all_is_learned_from(timed):
    found = scores(timed(history=HISTORIES))
    assert best("roc_auc", found)[0] == 0, found


@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 10_000))
def test_a_recipe_that_is_not_better_never_wins(candidates, folds, seed):
    values = np.random.default_rng(seed).normal(size=(candidates, folds))
    place, _ = best("roc_auc", values)
    assert place == 0 or values[place].mean() > values[0].mean()


def test_a_version_is_recorded_with_the_recipe_that_was_taken(timed):
    case = timed(history=HISTORIES)
    recipe = case.recipe.model_copy(update={"history": "20 days"})
    fixed = ChosenRecipe(recipe=recipe).fixed(case)
    assert fixed.recipe == recipe
    assert fixed.training.history == ["20 days"]


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ("training: {history: [90 dayz]}", "is not a length of time"),
        ("training: {history: [all, 90 days]}", "'training.history' can only be 'all' where there is no time column"),
        ("training: {search: {space: {max_iter: {low: 9, high: 3}}}}", "'low' below 'high'"),
        ("training: {search: {space: {max_iter: {low: 9, high: .inf}}}}", "finite number"),
        ("training: {search: {space: {max_iter: []}}}", "'max_iter' has no values"),
        ("training: {search: {space: {}}}", "at least 1 item"),
        ("training: {history: [P90D]}", "is not a length of time above zero"),
        ("training: {history: [0 days]}", "is not a length of time above zero"),
    ],
)
def test_bad_training_is_one_clear_error(home, tmp_path, training, told):
    with pytest.raises(InputError, match=told):
        small_use_case(tmp_path, **{"evaluation:": f"{training}\nevaluation:"})


@pytest.mark.parametrize(("parameters", "told"), [({"max_iters": 9}, "max_iters"), ({"max_iter": "many"}, "Got 'many'")])
def test_a_parameter_that_the_estimator_refuses_is_one_clear_error(home, tmp_path, quiet, parameters, told):
    case = small_use_case(tmp_path)
    case = case.model_copy(update={"model": case.model.model_copy(update={"parameters": parameters})})
    with pytest.raises(InputError, match=rf"^model\.parameters: .*{told}"):
        chain(case)
