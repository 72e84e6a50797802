"""The template of a function that is a ZIP file: `infra/lambda/template.yaml`, with what differs from an image's."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from configs.schema import UseCase
from configs.settings import PROJECT
from tasks.containers.function import PYTHON

TEMPLATE = PROJECT / "infra" / "lambda" / "template.yaml"


def function_template(use_case: UseCase, version: str, archive: str) -> str:
    """The template's text, for a file beside it; the function is copied once it is loaded (SnapStart)."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 200
    template: Any = yaml.load(TEMPLATE.read_text())
    for of_images in ("Image", "Warm"):  # SnapStart goes with no copies that are kept warm
        del template["Parameters"][of_images]
    del template["Conditions"]
    known = {"UseCase": use_case.name, "Version": version, "Sensitive": use_case.log.sensitive}
    known["OnFailure"] = use_case.log.on_failure
    for name, value in known.items():
        template["Parameters"][name]["Default"] = value
    function = template["Resources"]["Function"]["Properties"]
    for of_images in ("ImageUri", "ImageConfig", "ProvisionedConcurrencyConfig"):
        del function[of_images]
    function |= {
        "PackageType": "Zip",
        "CodeUri": archive,
        "Handler": "serving.function.handler",
        "Runtime": f"python{PYTHON}",
        "SnapStart": {"ApplyOn": "PublishedVersions"},
    }
    function["Environment"]["Variables"]["SLIPWAY_BUNDLE"] = "/var/task/bundle"
    out = io.StringIO()
    yaml.dump(template, out)
    lines = out.getvalue().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    head = f"# Version {version} of {use_case.name} for AWS Lambda, by 'slipway function'; see docs/serverless.md.\n"
    return head + "".join(lines[start:])
