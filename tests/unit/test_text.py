"""Texts as features: the same numbers in training, in the graph and in every protocol, whatever people write."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from serving.contract.contract import Column, ContractError
from serving.contract.kinds.ngrams import LONGEST, hashed, places, words
from serving.scoring.onnx import Scorer
from tasks.columns.choose import KINDS
from tasks.columns.text import bins_of_texts, sparse
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.packaging.convert import convert, to_onnx
from tasks.training.fitted import load
from tests.conftest import chain, small_use_case

STRANGE = [
    ".",
    "😀",
    "Où est ma CARTE ?",
    "x" * 10_000,
    "NaN",
    "true",
    "01234",
    "\ud7ff\u0000",
    "ﷺ" * 3000,
    "日本語のテキスト",
]
TEXT = {
    "categorical: [c]": "text: [q]",
    "evaluation:": "model: {estimator: logistic_regression}\nevaluation:",
}


def questions(rows=600, seed=0):
    """A number, and a question whose words tell the answer; some of them are missing."""
    generator = np.random.default_rng(seed)
    late = generator.random(rows) < 0.5
    said = np.where(late, "where is my parcel", "thanks for the parcel")
    ends = generator.choice(["?", "!", " please", " 😀", " today"], rows)
    texts = [None if n % 50 == 0 else f"{a}{b}" for n, (a, b) in enumerate(zip(said, ends, strict=True))]
    a, b = generator.normal(size=(2, rows))
    return pd.DataFrame({"a": a, "b": b, "q": texts, "y": np.where(late, "yes", "no")})


@given(st.text(max_size=200))
def test_the_graph_gets_in_serving_what_it_learned_from(text):
    dense = hashed(np.array([[text]], dtype=object))
    assert np.array_equal(dense, sparse(np.array([[text]], dtype=object)).toarray())
    assert np.isfinite(dense).all()


@given(st.text(max_size=80))
def test_case_and_accents_are_no_difference(text):
    assert words(text) == words(text.casefold())
    assert places("résumé naïve") == places("RESUME NAIVE")


def test_what_is_no_word_and_what_is_beyond_the_longest_says_nothing():
    assert places("") == places(".") == places(" \n?!… ") == {}
    assert places("card " * 5000) == places("card " * (LONGEST // 5))
    assert places("😀") != places("😢")


def test_a_text_is_what_it_is_and_only_a_blank_is_missing():
    column = Column("q", "text", nullable=True, missing=("-",))
    assert column.encode(["NaN", "True", None, "", "-", 3]).ravel().tolist() == ["NaN", "True", "", "", "", "3"]
    assert [column.from_csv(each) for each in ("True", "NA", "01", "", "-")] == ["True", "NA", "01", None, None]
    with pytest.raises(ContractError, match="may not be null"):
        Column("q", "text").encode([""])


def test_onnx_answers_as_scikit_learn_does_whatever_people_write(tmp_path, home, quiet):
    case = small_use_case(tmp_path, questions(), **TEXT)
    snapshot, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)
    assert onnx.max_difference < 1e-5
    columns, pipeline = contract_of(contract), load(fitted)
    assert [c.kind for c in columns.columns] == ["numeric", "numeric", "text"]
    assert b"parcel" not in contract_bytes(columns)
    frame = read_rows(snapshot, 0, len(STRANGE)).assign(q=STRANGE)
    encoded = encode(columns, frame)[case.features.all]
    found = Scorer(onnx.path, columns).outputs(model_input(encoded))
    assert np.abs(found - pipeline.predict_proba(encoded)).max() < 1e-5
    assert to_onnx(pipeline, columns, case.features) == onnx.path.read_bytes()


def contract_bytes(columns):
    from serving.contract.contract import contract_json

    return contract_json(columns)


def test_trees_and_bounds_do_not_fit_texts(tmp_path):
    with pytest.raises(InputError, match=r"'hist_gradient_boosting' does not take 'q'.*logistic_regression"):
        small_use_case(tmp_path, **{"categorical: [c]": "text: [q]"})
    with pytest.raises(InputError, match=r"'q' is text, which has no 'allowed'"):
        small_use_case(
            tmp_path, **{**TEXT, "text: [q]": "text: [q], rules: {q: {allowed: [a]}}", "categorical: [c]": "text: [q]"}
        )


def test_other_questions_are_far_from_the_reference_and_the_same_are_not():
    reference, same = (pd.Series(questions(2000, seed)["q"], name="q") for seed in (0, 1))
    bins = bins_of_texts(reference)
    counts = [np.bincount(bins.codes(each), minlength=bins.size) / len(each) for each in (reference, same)]
    assert np.abs(counts[0] - counts[1]).sum() < 0.2
    other = pd.Series(["my account was hacked by somebody"] * 100, name="q")
    assert np.bincount(bins.codes(other), minlength=bins.size)[counts[0] > 0.01].sum() < 10


def test_texts_are_put_back_by_those_of_the_reference():
    window, reference = pd.Series(["new"] * 5), pd.Series(["old", None], dtype=object)
    assert set(KINDS["text"].put_back(window, reference, np.random.default_rng(0)).tolist()) <= {"old", None}
