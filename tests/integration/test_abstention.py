"""The share of rows that are left to a person, from a real server's answers to an objective that is missed."""

import re

import httpx

from configs.schema import Objective
from configs.settings import prediction_log
from tasks.log.collected import keep_window
from tasks.log.values import Bounds, Window
from tasks.log.windows import read_window
from tasks.monitoring.service import measure_service
from tests.conftest import small_use_case
from tests.integration.server import Server
from tests.unit.test_heads import ROWS, built


def test_a_server_counts_what_it_leaves_to_a_person_and_monitoring_holds_it_against_the_objective(home, quiet, tmp_path):
    folder = built("binary", ("no", "yes"), confidence=0.75)
    server = Server(folder, prediction_log("small"), output=home / "server.log")
    try:
        rows = [*ROWS, *[{"a": 0.0, "b": 0.0}] * 7]  # of which both classes are equally probable
        answers = server.client.post("/predict", json={"records": rows}).raise_for_status().json()["predictions"]
        left = sum(row["abstained"] for row in answers)
        assert [row["prediction"] is None for row in answers] == [row["abstained"] for row in answers]
        assert 7 <= left < 10
        text = httpx.get(f"{server.url}/metrics").text
        assert re.findall(r"^slipway_abstained_total (\S+)", text, re.MULTILINE) == [f"{left}.0"]
    finally:
        server.kill()
    case = small_use_case(tmp_path, **{'positive: "yes"}': 'positive: "yes", confidence: 0.75}'})
    objective = Objective(kpi="abstention", at_most=0.5)
    case = case.model_copy(update={"monitoring": case.monitoring.model_copy(update={"objectives": [objective]})})
    bounds = Bounds(name="w", start="0", end="10")
    read = read_window(case, bounds)
    data = keep_window("small", read.table.drop_columns(["label", "features"]))
    window = Window(use_case="small", name="w", start="0", end="10", rows=10, labelled=0, data=data, requests=1)
    found = measure_service.fn(case, window)
    assert found.kpis["abstention"].value == left / 10
    assert list(found.missed) == ["abstention"]
