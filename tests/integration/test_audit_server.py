"""The record of what a real server logged: signed while it serves, verified, asked why, and checked by a stranger."""

import hashlib
import json
import shutil

from configs.settings import prediction_log, store
from tasks.audit.checkpoint import sign_record
from tasks.audit.examine import examine
from tasks.audit.export import export
from tasks.audit.why import asked_of
from tasks.history import record
from tasks.log.compact import compact, rotate
from tasks.log.files import maintaining
from tests.integration.test_server import RECORD
from tests.unit.test_audit import stranger


def test_an_answer_is_signed_while_its_server_goes_on(serve, bundle_folder, tmp_path):
    digest = hashlib.sha256((bundle_folder / "manifest.json").read_bytes()).hexdigest()
    shutil.copytree(bundle_folder, store("bundles") / digest)
    server = serve("--version", "7")
    record("small", "deploy", "the first", version="7", previous="", bundle=digest, by="ann")
    for number in range(5):
        body = {"records": [RECORD], "prediction_ids": [f"id-{number}"]}
        server.client.post("/predict", json=body).raise_for_status()
    told = {"labels": [{"prediction_id": "id-3", "label": "yes"}]}
    server.client.post("/feedback", json=told).raise_for_status()

    sign_record("small")
    assert examine("small").open >= 1, "what is written to is not signed yet"
    assert asked_of("id-3", None).proof is None
    rotate("small")
    sign_record("small")
    assert (examine("small").findings, examine("small").open) == ([], 0)
    assert asked_of("id-3", None).proven.startswith("its segment, ")
    server.client.post("/predict", json={"records": [RECORD]}).raise_for_status()
    with maintaining(prediction_log("small")):
        compact("small")
    sign_record("small")
    found = asked_of("id-3", None)
    assert (found.wrong, found.proven[:4]) == ("", "row ")
    features = found.asked[0]["features"]
    assert (features["a"], features["b"], features["c"][:5]) == (1.0, 0.5, "hmac:"), (
        "as it is logged: a sensitive one hashed"
    )
    assert [label["label"] for label in found.labels] == ["yes"]
    assert found.model["configuration"]["name"] == "small"
    assert (found.model["bundle"], len(found.model["snapshot"])) == (digest, 64)
    assert [(entry["reason"], entry["by"]) for entry in found.decisions] == [("the first", "ann")]
    export("small", tmp_path / "out")
    (tmp_path / "why.json").write_text(json.dumps(found.model_dump(mode="json")))
    assert "all of it holds" in stranger(tmp_path / "out", "--proof", tmp_path / "why.json", status=0)
