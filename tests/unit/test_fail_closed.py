"""What a use case asks for is kept or refused: nothing is dropped because something else is not there."""

import json
import time
from types import SimpleNamespace

import pytest

import tasks.containers.images
import tasks.containers.inventory
from configs.errors import InputError
from configs.settings import home as home_folder
from configs.settings import reports
from tasks.containers.images import wanted_image
from tasks.containers.inventory import KnownVulnerability, NotAudited, inventory
from tasks.containers.values import Image
from tasks.packaging.values import BundleRef
from tasks.registry.values import Version
from tests.conftest import small_use_case

VERSION = Version(use_case="small", version="1", run_id="r", bundle=BundleRef(digest="d" * 64), golden="g")
IMAGE = Image(platform="local", reference="processes:12345678", why="")


def use_case(folder, more):
    return small_use_case(folder, **{"monitoring: {window: 100 rows}": "monitoring: {window: 100 rows}\n" + more})


@pytest.mark.parametrize(
    ("deploy", "told"),
    [
        ("{resources: {cpus: 1.5}}", "deploy.resources are limits that only containers keep"),
        ("{registry: {repository: registry.example.com/team}}", "deploy.registry is where images are pushed"),
        ("{platform: docker}", "deploy.platform is 'docker'"),
    ],
)
def test_what_only_docker_keeps_is_not_dropped_where_it_does_not_answer(home, tmp_path, monkeypatch, deploy, told):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(InputError, match=f"{told}, but no Docker Engine answers"):
        wanted_image(use_case(tmp_path, f"deploy: {deploy}"), VERSION)
    assert wanted_image(use_case(tmp_path, "deploy: {platform: auto}"), VERSION).platform == "local"


@pytest.mark.parametrize("asked", ["resources: {gpus: 1}", "registry: {repository: registry.example.com/team}"])
def test_processes_are_not_asked_for_what_they_cannot_keep(tmp_path, asked):
    with pytest.raises(InputError, match="platform 'local'"):
        use_case(tmp_path, f"deploy: {{platform: local, {asked}}}")


@pytest.fixture
def tags(home, quiet, monkeypatch):
    """The inventory without MLflow and Prefect; pip-audit is the real one, with nobody at its proxy."""
    told = {}
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(tasks.containers.inventory, "tag_version", lambda _, __, key, value: told.update({key: value}))
    monkeypatch.setattr(tasks.containers.inventory, "create_table_artifact", lambda **_: None)
    (reports("small", "sbom") / "12345678.cdx.json").touch()
    return told


def test_refuse_means_refuse_where_no_list_can_be_reached(tags, tmp_path):
    refuses = use_case(tmp_path, "gates: {vulnerabilities: refuse}")
    (home_folder() / "audit-unreachable").touch()  # a moment ago
    began = time.time()
    with pytest.raises(NotAudited, match=r"is 'refuse', and pip-audit reached no list of vulnerabilities .*ProxyError"):
        inventory.fn(refuses, VERSION, IMAGE)
    assert (home_folder() / "audit-unreachable").stat().st_mtime >= began - 1, "it was asked again"
    inventory.fn(
        use_case(tmp_path, "gates: {vulnerabilities: tell}"), VERSION, IMAGE.model_copy(update={"target": "docker"})
    )
    assert tags == {}


@pytest.mark.parametrize(
    ("package", "error", "told"),
    [
        ({"vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}, KnownVulnerability, "1 known vulnerabilities in 2 packages"),
        ({"skip_reason": "not on PyPI"}, NotAudited, r"knows nothing of 1 of 2 packages: bad \(not on PyPI\)"),
    ],
)
def test_a_package_that_is_bad_or_unknown_is_refused(tags, tmp_path, monkeypatch, package, error, told):
    import tasks.containers.vulnerabilities

    found = {"dependencies": [{"name": "good", "version": "1", "vulns": []}, {"name": "bad", "version": "1", **package}]}
    answer = SimpleNamespace(stdout=json.dumps(found), stderr="")
    monkeypatch.setattr(tasks.containers.vulnerabilities.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(error, match=told):
        inventory.fn(use_case(tmp_path, "gates: {vulnerabilities: refuse}"), VERSION, IMAGE)
