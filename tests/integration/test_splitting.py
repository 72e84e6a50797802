"""Two real releases, one in front: shares, one model a person, one record a row, and a challenger that dies."""

import httpx
import numpy as np
import pytest
import tritonclient.grpc

from configs.errors import InputError
from serving.traffic.plan import Arm, Plan
from tasks.deploying.keys import INTERNAL, create_key, internal_key, keys_folder
from tasks.deploying.platforms.ports import free_port
from tasks.deploying.values import Release, Replica
from tasks.log.read import open_log
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tasks.routing import splitting, traffic
from tasks.routing.served import keep_served
from tasks.routing.values import TrafficPlan
from tests.integration.server import Load, Server, wait_for

RECORD = {"a": 0.5, "b": 0.5, "c": "red"}
RELEASE = Release(
    name="small-v1",
    use_case="small",
    version="1",
    bundle="1",
    platform="local",
    image="",
    log="predictions",
    settings={"SLIPWAY_WORKERS": "2"},
)
CHAMPION = ("--version", "1", "--release", "small-v1", "--workers", "2")
CHALLENGER = ("--version", "2", "--release", "small-v2")


def stage(share, *addresses, name="stage", **more):
    arms = (Arm("challenger", "2", "small-v2", addresses, share),)
    return Plan(name, "rollout", **{"key": "customer", "arms": arms, **more})


def serves(server):
    """As a switch writes it down."""
    release = RELEASE.model_copy(update={"replicas": (Replica(address=server.url, handle="1"),)})
    version = Version(use_case="small", version="1", run_id="r", bundle=BundleRef(digest="1" * 64), golden="g")
    keep_served(version, release)
    traffic.replace("small", TrafficPlan(addresses=(server.url,)))


@pytest.fixture
def pair(bundle_folder, home, tmp_path):
    """Starts champion and challenger; `keys` lets in only who has one. They end with the test."""
    from configs.settings import prediction_log

    servers = []

    def start(*words, keys=False, log=None, **more):
        given = {"SLIPWAY_TRAFFIC": str(splitting.plan_path(RELEASE)), "SLIPWAY_INTERNAL_CALLER": INTERNAL}
        if keys:
            words = (*words, "--auth", "on", "--keys", str(keys_folder("small") / "keys.json"))
            given["SLIPWAY_INTERNAL_KEY"] = internal_key("small")
        if "small-v1" not in words:
            given["SLIPWAY_TRAFFIC"] = ""
        folder = log or prediction_log("small")
        servers.append(Server(bundle_folder, folder, *words, output=home / "server.log", environment=given, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def logged(query):
    with open_log("small") as log:
        return log.sql(query).fetchall()


def tensors(customers):
    columns = {"a": np.full(len(customers), 0.5), "b": np.full(len(customers), 0.5), "c": ["red"] * len(customers)}
    return {**columns, "customer": np.array(customers)}


def by_grpc(port, headers, customers):
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{port}")
    inputs = []
    for name, values in tensors(customers).items():
        kind = "BYTES" if name == "c" else "INT64" if name == "customer" else "FP64"
        values = np.array(values, dtype=object if kind == "BYTES" else None).reshape(-1, 1)
        inputs.append(tritonclient.grpc.InferInput(name, list(values.shape), kind))
        inputs[-1].set_data_from_numpy(values)
    answer = client.infer("small", inputs, headers=headers)
    return answer.get_response().parameters["prediction_ids"].string_param.split(",")


def by_rest(server, customers):
    inputs = [
        {
            "name": name,
            "shape": [len(customers)],
            "datatype": "BYTES" if name == "c" else "INT64" if name == "customer" else "FP64",
            "data": list(np.array(values).tolist()),
        }
        for name, values in tensors(customers).items()
    ]
    answer = server.client.post("/v2/models/small/infer", json={"inputs": inputs}).raise_for_status().json()
    return answer["outputs"][0]["parameters"]["prediction_ids"].split(",")


def by_mlflow(server, customers):
    rows = [[0.5, 0.5, "red", str(customer)] for customer in customers]
    body = {"dataframe_split": {"columns": ["a", "b", "c", "customer"], "data": rows}}
    answer = server.client.post("/invocations", json=body).raise_for_status()
    return answer.headers["x-slipway-prediction-ids"].split(",")


def by_name(server, customers):
    body = {"records": [{**RECORD, "customer": customer} for customer in customers]}
    answer = server.client.post("/predict", json=body).raise_for_status().json()
    return [each["prediction_id"] for each in answer["predictions"]]


def test_one_person_meets_one_model_in_every_protocol_worker_and_life_of_the_servers(pair, tmp_path):
    """With keys on, so that the servers let each other in by Slipway's own."""
    key = create_key("small", "shop", ("predict",))
    headers, grpc_port = {"authorization": f"Bearer {key}"}, free_port()
    customers = [*range(12)]
    met = []
    for life in range(2):
        challenger = pair(*CHALLENGER, keys=True, log=tmp_path / "theirs")
        champion = pair(*CHAMPION, "--grpc-port", str(grpc_port), keys=True)
        serves(champion)
        champion.client.headers.update(headers)
        splitting.split("small", stage(0.4, challenger.url, name=f"life-{life}"))
        for ask in (by_name, by_rest, by_mlflow, lambda _, them: by_grpc(grpc_port, headers, them)):
            ids = ask(champion, customers)
            assert len(set(ids)) == len(customers)
            named = ", ".join(f"'{name}'" for name in ids)
            query = f"select prediction_id, variant, assigned, fallback from log where prediction_id in ({named})"
            found = {name: rest for name, *rest in logged(query)}
            met.append([found[name] for name in ids])
        for customer in customers:
            by_name(champion, [customer])
        assert challenger.client.post("/internal/score", json=[RECORD], headers=headers).status_code == 403
        champion.kill()
        challenger.kill()
    assert all(each == met[0] for each in met)
    assert {tuple(each) for each in met[0]} == {("champion",) * 2 + (None,), ("challenger",) * 2 + (None,)}
    rows = logged("select count(*), count(distinct prediction_id) from log where kind = 'prediction'")
    assert rows == [(2 * 5 * len(customers),) * 2]
    alone = "select distinct json_extract_string(features, '$.customer'), variant from log"
    assert len(logged(alone)) == len(customers)
    assert [list(folder.read_bytes()) for folder in (tmp_path / "theirs").glob("*.jsonl")] == [[], []]


def test_shares_grow_and_a_challenger_that_dies_costs_no_request(pair):
    challenger = pair(*CHALLENGER)
    champion = pair(*CHAMPION)
    serves(champion)
    splitting.split("small", stage(0.3, challenger.url, key=None, late_ms=1000))
    with Load(champion.url, RECORD) as load:
        wait_for(lambda: len(load.answers) > 800, "load")
        challenger.kill()
        died = len(load.answers)
        wait_for(lambda: len(load.answers) > died + 800, "load without the challenger")
        pair(*CHALLENGER, "--port", str(challenger.port), port=challenger.port)
        fallen = "select max(time) from log where fallback is not null"
        back = f"select count(*) from log where variant = 'challenger' and time > ({fallen})"
        wait_for(lambda: logged(back)[0][0] > 20, "the challenger's return", 20)
    assert load.lost == []
    ((rows, ids, assigned, met),) = logged(
        "select count(*), count(distinct prediction_id), avg((assigned = 'challenger')::int), "
        "avg((variant = assigned)::int) filter (assigned = 'challenger') from log where kind = 'prediction'"
    )
    assert rows == ids >= len(load.answers)
    assert abs(assigned - 0.3) < 6 * (0.21 / rows) ** 0.5
    assert 0 < met < 1
    reasons = {reason for (reason,) in logged("select distinct fallback from log where fallback is not null")}
    assert "off" in reasons
    assert reasons <= {"off", "refused", "failed"}
    answered = logged("select distinct variant, release, model_version from log order by variant")
    assert answered == [("challenger", "small-v2", "2"), ("champion", "small-v1", "1")]


def test_a_plan_is_in_force_when_split_returns_and_over_when_unsplit_does(pair, monkeypatch):
    with pytest.raises(InputError, match="nothing of 'small' serves"):
        splitting.split("small", stage(1.0))
    challenger = pair(*CHALLENGER)
    champion = pair(*CHAMPION)
    serves(champion)
    stale = splitting.splits_folder("small") / "small-v0.json"
    stale.write_text("{}")
    twice = (Arm("a", "2", "small-v2", (), 1.0), Arm("b", "2", "small-v2", (), 1.0))
    with pytest.raises(InputError, match="the arms' shares make 2"):
        splitting.split("small", Plan("p", "s", arms=twice))

    def variants():
        """Of requests over many connections, so that both workers get some."""
        ids = []
        for _ in range(12):
            with httpx.Client(base_url=champion.url) as client:
                answer = client.post("/predict", json={"records": [RECORD]}).raise_for_status().json()
                ids.append(answer["predictions"][0]["prediction_id"])
        named = ", ".join(f"'{name}'" for name in ids)
        return {variant for (variant,) in logged(f"select variant from log where prediction_id in ({named})")}

    for share, wanted in ((1.0, {"challenger"}), (0.0, {"champion"}), (1.0, {"challenger"})):
        splitting.split("small", stage(share, challenger.url, key=None))
        assert variants() == wanted
    assert not stale.exists()
    assert splitting.split_of("small") == stage(1.0, challenger.url, key=None)
    told = r"small-v1 did not take traffic plan .* with 2 workers within 0.6 s"
    with monkeypatch.context() as patch:
        patch.setattr(splitting, "TAKEN_SECONDS", 0.6)
        with pytest.raises(splitting.NotSplit, match=told):
            splitting.split("small", stage(0.5, challenger.url, key="shop"))  # which the contract has not
    assert variants() == {"challenger"}, "the plan before is back"
    splitting.unsplit("small")
    assert variants() == {"champion"}
    assert splitting.split_of("small") is None


def test_shadows_pair_with_what_was_answered_and_may_die(pair):
    shadow = pair(*CHALLENGER)
    champion = pair(*CHAMPION)
    serves(champion)
    copies = (Arm("candidate", "2", "small-v2", (shadow.url,), 1.0),)
    splitting.split("small", Plan("stage", "s", shadows=copies))
    for size in (1, 3, 40):
        by_name(champion, range(size))
    pairs = (
        "select count(*) from log p join log s using (prediction_id, event_time) "
        "where p.kind = 'prediction' and s.kind = 'shadow' and p.output = s.output and s.latency_us > 0"
    )
    wait_for(lambda: logged(pairs)[0][0] == 44, "the shadow's answers", 10)
    assert logged("select count(*), count(distinct variant) from log where kind = 'prediction'") == [(44, 1)]
    shadow.kill()
    for _ in range(30):
        by_name(champion, [1])
    dead = 'outcome="refused"'
    wait_for(lambda: dead in champion.client.get("/metrics").text, "the metric of a dead shadow", 10)
