"""What leaves the home with a version: model, contract, card, manifest, signature; never a row of data."""

import mlflow

from tasks.containers.containerize import _write_context
from tasks.registry.versions import registry, the_champion

# With splits and shares, and with aggregates of what training showed.
BUNDLE = {"model.onnx", "contract.json", "card.md", "manifest.json", "model.sig", "reasons.npz", "codes.json"}


def files(client, run, folder=None):
    for item in client.list_artifacts(run, folder):
        yield from files(client, run, item.path) if item.is_dir else [item.path]


def test_no_row_goes_to_mlflow_or_into_an_image(served, tmp_path):
    version, client = the_champion("loans"), registry()
    run = client.get_run(version.run_id)
    logged = {path for path in files(client, version.run_id) if not path.startswith("model/")}
    logged |= {
        item.path for model in run.outputs.model_outputs for item in client.list_logged_model_artifacts(model.model_id)
    }
    assert {path.removeprefix("bundle/") for path in logged if path.startswith("bundle/")} <= BUNDLE
    assert not [path for path in logged if path.endswith(".parquet") or "golden" in path], logged
    _write_context(tmp_path, version.bundle.path)
    assert {path.name for path in (tmp_path / "bundle" / "bundle").iterdir()} == BUNDLE
    assert mlflow.get_tracking_uri().startswith("http")
