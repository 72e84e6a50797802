"""Trees split between neighbouring float32 numbers, and ONNX splits there too."""

import numpy as np
import pytest

from configs.schema import Model
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, model_input
from tasks.packaging.convert import convert
from tasks.problems.problem import problem_of
from tasks.training.estimators.choose import settle
from tasks.training.fit import build_pipeline
from tests.conftest import chain, small_frame, small_use_case


@pytest.mark.parametrize("start", [34.9, np.nextafter(np.float32(34.9), np.float32(0)), 0.1, -7.3])
def test_neighbours_among_the_numbers_go_where_scikit_learn_sends_them(home, quiet, tmp_path, start):
    low = np.float32(start)
    high = np.nextafter(low, np.float32(np.inf))
    frame = small_frame(rows=1200)
    frame["a"] = np.where(frame["y"] == "yes", float(high), float(low))
    case = small_use_case(tmp_path, frame)
    case = case.model_copy(update={"model": Model(parameters={"max_iter": 5})})
    _, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)  # raises where one row differs
    encoded = encode(contract_of(contract), frame)[case.features.all]
    assert Scorer(onnx.path, contract_of(contract)).outputs(model_input(encoded))[:, 1].std() > 0.1, (
        "the split is between the two"
    )


def test_rounding_moves_no_answer_of_scikit_learn(home, quiet, tmp_path):
    frame = small_frame(rows=2000)
    case = small_use_case(tmp_path, frame)
    _, contract, _, _ = chain(case)
    x = encode(contract_of(contract), frame)[case.features.all]
    pipeline = build_pipeline(case.features, case.model, problem_of(case.target)).fit(x, frame["y"] == "yes")
    before = pipeline.predict_proba(x)
    settle(pipeline.named_steps["model"])
    assert np.array_equal(pipeline.predict_proba(x), before)
