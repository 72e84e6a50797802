"""Inventory: a CycloneDX list of what an image holds, read from the image itself, and what is known against it."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_table_artifact

from configs.errors import CheckFailed
from configs.files import write_atomically
from configs.schema import UseCase
from configs.settings import report_address, reports
from tasks.containers.engine import engine
from tasks.containers.images import SOURCE_DATE_EPOCH
from tasks.containers.values import Image
from tasks.containers.vulnerabilities import audited
from tasks.registry.values import Version
from tasks.registry.versions import tag_version

# Runs inside the image, so it needs nothing but Python.
LISTING = """
import json, platform, re, sys
from importlib.metadata import distributions
from pathlib import Path
found = [("pypi", d.metadata["Name"], d.version, d.metadata.get("License-Expression") or "") for d in distributions()]
status = Path("/var/lib/dpkg/status")
for part in status.read_text().split("\\n\\n") if status.exists() else []:
    field = dict(re.findall(r"^(Package|Version|Architecture|Status): (.*)$", part, re.M))
    if field.get("Status", "").endswith(" installed"):
        found.append(("deb", field["Package"], field["Version"], field["Architecture"]))
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""


class KnownVulnerability(CheckFailed):
    """A package in the image has a known vulnerability, and the use case refuses that."""


class NotAudited(CheckFailed):
    """Whether there is a known vulnerability cannot be said, and the use case refuses one."""


@task
def inventory(use_case: UseCase, version: Version, image: Image) -> None:
    """Write the image's SBOM beside the reports, and ask pip-audit about its Python packages. An image is looked at once.

    Processes of this machine have the same packages of the same lock; they are asked about where that decides.

    Raises:
        NotAudited: `gates.vulnerabilities` is `refuse`, and pip-audit cannot say.
        KnownVulnerability: pip-audit names one, and `gates.vulnerabilities` is `refuse`.
    """
    folder = reports(use_case.name, "sbom")
    path = folder / f"{image.reference.rpartition(':')[2]}.cdx.json"
    if not path.exists():
        write_atomically(path, sbom(version, image, _listing(image)).encode())
        create_link_artifact(key=f"sbom-{use_case.name}", link=report_address(path), link_text=f"SBOM of {image.reference}")
    if image.platform != "local" or use_case.gates.vulnerabilities == "refuse":
        _audit(use_case, version, path.with_suffix(".audit.json"))


def sbom(version: Version, image: Image, listing: dict[str, Any]) -> str:
    """CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json): equal for equal images, so without the time of day."""
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    digest = HashType(alg=HashAlgorithm.SHA_256, content=_model_digest(version.bundle.path))
    kind = ComponentType.CONTAINER if image.platform == "docker" else ComponentType.APPLICATION
    name, _, tag = image.reference.rpartition(":")
    bundle = [Property(name="slipway:bundle", value=version.bundle.digest)]
    root = Component(name=name, version=tag, type=kind, bom_ref=image.reference, properties=bundle)
    model = Component(
        name=f"{version.use_case}/model.onnx",
        version=version.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        hashes=[digest],
        bom_ref=f"model:{version.bundle.digest}",
    )
    python = PackageURL("generic", None, "python", listing["python"])
    parts = [
        Component(name="python", version=listing["python"], type=ComponentType.PLATFORM, purl=python, bom_ref=str(python))
    ]
    for ecosystem, package, number, more in listing["packages"]:
        licenses: list[Any] = []
        if ecosystem == "pypi":
            purl = PackageURL("pypi", None, package.lower().replace("_", "-"), number)
            if more:
                licenses = [LicenseExpression(more) if " " in more else DisjunctiveLicense(name=more)]
        else:
            purl = PackageURL("deb", "debian", package, number, qualifiers={"arch": more})
        parts.append(Component(name=package, version=number, purl=purl, bom_ref=str(purl), licenses=licenses))
    bom = Bom(components=[model, *parts], serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image.reference))
    bom.metadata.component = root
    bom.metadata.timestamp = datetime.fromtimestamp(int(SOURCE_DATE_EPOCH), UTC)
    bom.register_dependency(root, [model, *parts])
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _listing(image: Image) -> dict[str, Any]:
    """The Python and Debian packages of an image, or of this environment where releases are processes of it."""
    if image.platform == "local":
        output: Any = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, check=True).stdout
    else:
        client, _ = engine()
        options = {"entrypoint": ["python", "-c", LISTING], "network_mode": "none", "read_only": True, "cap_drop": ["ALL"]}
        output = client.containers.run(image.reference, remove=True, **options)
    listing: dict[str, Any] = json.loads(output)
    listing["packages"] = sorted({tuple(package) for package in listing["packages"]})
    return listing


def _audit(use_case: UseCase, version: Version, path: Path) -> None:
    logger, refuse = get_run_logger(), use_case.gates.vulnerabilities == "refuse"
    packages, unknown = audited(path, must=refuse)
    if unknown and refuse:
        raise NotAudited(
            f"gates.vulnerabilities is 'refuse', and {unknown}; let this machine reach https://pypi.org (or a proxy, by "
            "HTTPS_PROXY) and run this again, or set it to 'tell'"
        )
    if unknown:
        logger.warning("Not audited: %s; asked again after an hour", unknown)
        return
    bad = [(package, known) for package in packages for known in package.get("vulns", [])]
    rows = [
        {"package": p["name"], "version": p["version"], "id": k["id"], "fixed in": ", ".join(k["fix_versions"])}
        for p, k in bad
    ]
    create_table_artifact(key=f"audit-{use_case.name}", table=rows or [{"package": "all", "id": "nothing known"}])
    told = f"{len(bad)} known vulnerabilities in {len(packages)} packages"
    tag_version(use_case.name, version.version, "gate.audit", told)
    if bad and refuse:
        raise KnownVulnerability(f"{told}: " + "; ".join(f"{row['package']} {row['version']}: {row['id']}" for row in rows))
    logger.log(30 if bad else 20, "Audit: %s", told)


def _model_digest(bundle: Path) -> str:
    return str(json.loads((bundle / "manifest.json").read_text())["files"]["model.onnx"])
