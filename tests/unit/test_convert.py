import hashlib
import subprocess
import sys

import numpy as np
import pytest

from configs.load import load_use_case, parse_use_case
from configs.schema import Model
from configs.settings import PROJECT
from serving.scoring.onnx import Scorer
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.ingest import ingest
from tasks.packaging.convert import ConversionError, convert
from tasks.training.fitted import load
from tests.conftest import chain, small_use_case


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "logistic_regression"])
def test_every_holdout_row_equals_scikit_learn(home, quiet, tmp_path, estimator):
    case = small_use_case(tmp_path).model_copy(update={"model": Model(estimator=estimator)})
    _, contract, parts, fitted = chain(case)
    onnx = convert.fn(parts, contract, case.features, fitted)
    assert onnx.rows_compared == parts.snapshot.rows - parts.cut
    assert onnx.max_difference < 1e-5


def test_flights_equal_scikit_learn_on_unseen_airports_and_missing_weather(home, quiet):
    """The holdout has no unknown destination; August has, and hours without weather."""
    from datetime import UTC, datetime

    case = load_use_case("flights")
    _, contract, parts, fitted = chain(case, case.replay.start)
    onnx = convert.fn(parts, contract, case.features, fitted)
    later = ingest.fn(case, datetime(2013, 9, 1, tzinfo=UTC))
    frame = read_rows(later, later.rows - 25_000, later.rows)
    encoded = encode(contract_of(contract), frame)[case.features.all]
    pipeline = load(fitted)
    known = set(next(c for c in contract_of(contract).columns if c.name == "dest").categories)
    assert set(encoded["dest"]) - known
    assert encoded["temp"].isna().any()
    found = Scorer(onnx.path, contract_of(contract)).outputs(
        {n: encoded[n].to_numpy().reshape(-1, 1) for n in case.features.all}
    )
    assert np.abs(found - pipeline.predict_proba(encoded)).max() < 1e-5


def test_a_difference_stops_and_names_the_row(home, quiet, tmp_path, monkeypatch):
    case = small_use_case(tmp_path)
    _, contract, parts, fitted = chain(case)
    honest = Scorer.outputs

    def wrong(self, arrays):
        answer = honest(self, arrays).copy()
        answer[3] += 0.1
        return answer

    monkeypatch.setattr(Scorer, "outputs", wrong)
    with pytest.raises(ConversionError, match=rf"row {parts.cut + 3} of snapshot .* \(1 of "):
        convert.fn(parts, contract, case.features, fitted)


def test_onnx_bytes_do_not_depend_on_the_hash_seed(home, quiet, tmp_path):
    """The converter's node order does (checked here too), the canonical order does not."""
    case = small_use_case(tmp_path)
    _, contract, _, fitted = chain(case)
    program = f"""
import hashlib
from pathlib import Path
from configs.load import parse_use_case
from tasks.packaging.convert import to_onnx
from tasks.data.frames import contract_of
from tasks.training.fitted import load
from tasks.training.values import FittedModel
case = parse_use_case(Path({str(tmp_path / "small.yaml")!r}).read_text(), "small.yaml")
model = load(FittedModel(digest={fitted.digest!r}, rows=1))
print(hashlib.sha256(to_onnx(model, contract_of({contract!r}), case.features)).hexdigest())
"""
    from tests.conftest import SMALL

    (tmp_path / "small.yaml").write_text(SMALL.format(path=tmp_path / "rows.csv"))
    assert parse_use_case((tmp_path / "small.yaml").read_text(), "small.yaml").name == "small"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": str(seed), "SLIPWAY_HOME": str(home), "PATH": "/usr/bin:/bin"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3, 4)
    }
    assert len(found) == 1, found


def test_training_twice_gives_the_same_onnx_bytes(home, quiet, tmp_path):
    case = small_use_case(tmp_path)
    digests = set()
    for _ in range(2):
        _, contract, parts, fitted = chain(case)
        onnx = convert.fn(parts, contract, case.features, fitted)
        assert hashlib.sha256(onnx.path.read_bytes()).hexdigest() == onnx.digest
        digests.add(onnx.digest)
    assert len(digests) == 1
