"""The page at `/docs`: its form asks what the document describes, its policy lets nothing else run, and no value is code.

What a real browser makes of it, where one is installed, is looked at in `tests/integration/test_server.py`.
"""

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from serving.contract.contract import Column, Contract
from serving.options import Options
from serving.protocols import docs
from serving.protocols.openapi import _schema, openapi
from serving.security.keys import Guard
from serving.transports.http import App
from tasks.deploying.keys import create_key, keys_folder
from tests.unit.rsgi import ask


class Page(HTMLParser):
    """The elements of a page, and the texts of its scripts and styles."""

    def __init__(self, content):
        super().__init__()
        self.elements, self.inline = [], {"script": [], "style": []}
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.elements and (tag := self.elements[-1][0]) in self.inline and data.strip():
            self.inline[tag].append(data)


@pytest.fixture(scope="module")
def page():
    return Page(docs.PAGE.decode())


def test_the_policy_lets_this_script_and_style_run_and_nothing_else(page):
    policy = dict(each.strip().split(" ", 1) for each in docs.POLICY.split(";"))
    for tag in ("script", "style"):
        (text,) = page.inline[tag]
        assert policy[f"{tag}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert (policy["default-src"], policy["connect-src"], policy["base-uri"]) == ("'none'", "'self'", "'none'")
    assert "unsafe" not in docs.POLICY
    for tag, attributes in page.elements:
        stray = [name for name in attributes if name.startswith("on") or name in ("style", "src")]
        assert not stray, f"<{tag}> has {stray}, which the policy forbids"


def test_it_needs_nothing_from_elsewhere_and_makes_no_code_of_values():
    text = docs.PAGE.decode()
    assert not re.findall(r"https?://|//[a-z]+\.|@import|\burl\(", text)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|\.on[a-z]+ ?=", text)
    assert not re.findall(r"localStorage|sessionStorage|cookie|indexedDB", text)


def test_what_the_script_names_is_there_and_what_is_filled_in_has_a_label(page):
    (script,) = page.inline["script"]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"\$\('([a-z-]+)'\)", script)) <= set(ids)
    labelled = {attributes["for"] for tag, attributes in page.elements if tag == "label"}
    assert {attributes["id"] for tag, attributes in page.elements if tag in ("input", "select", "textarea")} <= labelled
    named = " ".join(
        attributes.get(name, "") for _, attributes in page.elements for name in ("aria-labelledby", "aria-describedby")
    )
    assert set(named.split()) <= set(ids)
    assert ("html", {"lang": "en"}) in page.elements


@pytest.fixture
def app(bundle_folder, home, model):
    return App(model, Options(bundle="b", log="l"), None)


def test_it_is_open_to_all_and_the_document_to_keys(app, home):
    create_key("small", "checkout", ("predict",))
    closed = App(app.model, app._options, Guard(keys_folder("small") / "keys.json"))
    answer = asyncio.run(ask(closed, "/docs", method="GET"))
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == docs.POLICY
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.body == docs.PAGE, "it says nothing of a model: what it shows is the document, which needs a key"
    assert asyncio.run(ask(closed, "/openapi.json", method="GET")).status == 401


def test_the_form_is_made_of_what_the_document_says(model):
    """The keys that the script reads; a record of them is the example that works."""
    document = openapi(model)
    record = document["components"]["schemas"]["Record"]
    (example,) = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]["records"]
    assert list(example) == list(model.contract.names)
    assert set(example) <= set(record["properties"])
    assert set(record["required"]) <= set(example)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("t", "text", allowed=None), {"contentMediaType": "text/plain"}),
        (Column("c", "categorical", allowed=("x", "y")), {"enum": ["x", "y"]}),
        (Column("c", "categorical", categories=("x",)), {"examples": ["x"]}),
        (Column("c", "categorical", categories=("x",), sensitive=True), {"examples": None, "enum": None}),
        (Column("n", "numeric", minimum=1, maximum=3, low=2, high=3), {"minimum": 1, "maximum": 3, "examples": None}),
    ],
)
def test_each_kind_says_what_its_field_is(column, said):
    schema = _schema(Contract("demo", (column,), "y", (0, 1)).columns[0])
    assert {name: schema.get(name) for name in said} == said
