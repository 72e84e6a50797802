"""Before a rollout begins: whether its A/B stages are long enough to be decided at the traffic of late."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from configs.errors import InputError
from configs.rollout import Rollout
from configs.settings import prediction_log, store
from serving.contract.contract import Column, Contract
from serving.log.writer import Feedback, Prediction, PredictionLog
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.rollouts.foresee import foresee
from tasks.verdicts import means
from tasks.verdicts.judge import judged
from tasks.verdicts.power import points_needed
from tests.conftest import small_use_case

CONTRACT = Contract("small", (Column("a", "numeric"), Column("customer", "categorical")), "y", ("no", "yes"))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ERRORS = {"measure": "errors", "margin": 0.02, "required": True}
LOSS = {"measure": "loss", "margin": 0.05, "required": True}


@pytest.fixture
def champion(home):
    (store("contracts") / "c.json").write_bytes(msgspec.json.encode(CONTRACT))
    bundle = BundleRef(digest="0" * 64)
    return Version(use_case="small", version="1", run_id="r", bundle=bundle, golden="g", tags={"contract": "c"})


def asked(count, hours=24.0, customers=10, labelled=0):
    """So many requests in the last hours, each from one of some customers."""
    log = PredictionLog(prediction_log("small"))
    times = [f"{NOW - timedelta(hours=hours * (1 - n / count)):%Y-%m-%dT%H:%M:%S.%fZ}" for n in range(count)]
    log.append(
        [
            Prediction(
                f"p{n}", time, time, "1", "r", "champion", "", {"customer": f"c{n % customers}"}, "yes", [0.4, 0.6], 10, "d"
            )
            for n, time in enumerate(times)
        ]
    )
    log.append([Feedback(f"p{n}", times[n], "yes" if n % 2 else "no", "") for n in range(labelled)])
    log.close()


def said(tmp_path, champion, *checks, lasts="1 day", **more):
    declared = Rollout(stages=[{"shadow": {"for": "1 day"}}, {"ab": {"for": lasts}}], checks=list(checks), **more)
    return foresee(small_use_case(tmp_path), declared, champion, NOW)


def test_enough_traffic_says_how_long_and_too_little_that_it_is_too_short(champion, tmp_path):
    asked(2000)
    (line,) = said(tmp_path, champion, ERRORS)
    assert line.startswith("stage 2 (ab), which lasts 4 days at most: 'errors' is decided to within 0.02 after ")
    assert line.endswith(" hours at 83.3 requests an hour")
    with pytest.raises(InputError, match=r"stage 2 \(ab\), which lasts 4 hours at most: 'errors' is decided"):
        said(tmp_path, champion, ERRORS, lasts="1 hour")
    assert said(tmp_path, champion, {**ERRORS, "detect": 0.2}, lasts="1 hour"), "of what matters less less will do"
    with pytest.raises(InputError, match="'errors' is never decided to within 0 at"):
        said(tmp_path, champion, {**ERRORS, "margin": 0})


def test_persons_count_once(champion, tmp_path):
    asked(2000, customers=40)
    with pytest.raises(InputError, match=r"at 1.67 persons an hour"):
        said(tmp_path, champion, ERRORS, key="customer")


def test_labels_count_as_they_come(champion, tmp_path):
    asked(1000, labelled=500)
    (line,) = said(tmp_path, champion, {**LOSS, "margin": 0.2})
    assert "at 20.8 requests an hour" in line


@pytest.mark.parametrize("requests", [0, 20])
def test_what_the_log_does_not_know_stops_nobody(requests, champion, tmp_path):
    if requests:
        asked(requests)
    lines = said(tmp_path, champion, ERRORS, {**LOSS, "margin": 0.2})
    assert [line.split(": ")[1] for line in lines] == [
        "how long 'errors' needs is not known",
        "how long 'loss' needs is not known",
    ]


@pytest.mark.parametrize(("truth", "says"), [(0.0, "equivalent"), (0.4, "worse")])
def test_four_in_five_are_decided_by_then(truth, says):
    margin, level, dice = 0.2, 0.01, np.random.default_rng(0)
    n = round(points_needed(1.0, (0.5, 0.5), margin, level) / 2)
    groups = [(dice.normal(truth, 1, n), dice.normal(0, 1, n)) for _ in range(300)]
    found = [judged("kpi", margin, level, (n, n), means.difference(*each, level)).verdict for each in groups]
    assert 0.74 < found.count(says) / 300 < 0.86
