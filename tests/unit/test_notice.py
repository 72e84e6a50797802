"""The notice of a denial: what the law asks for and the record knows is in it; what nobody here knows is marked."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from console.cli import app
from tasks.audit.notice import EXAMPLE, notice_of, page_of
from tasks.audit.pdf import pdf_of
from tasks.audit.why import asked_of
from tasks.log.reviews import note_event, reviewing
from tasks.onboarding.check import _notice
from tasks.review.decide import override
from tests.conftest import small_use_case
from tests.unit.test_explained import served
from tests.unit.test_review import reviewed

__all__ = ["served"]  # a fixture
DENIED = {"a": -2.0, "b": -2.5}


def asked(*words, status=0):
    done = CliRunner().invoke(app, ["audit", "notice", *map(str, words)])
    if status:
        assert isinstance(done.exception, InputError | CheckFailed), done.output
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_denial_is_told_with_its_reasons_and_rights(served, tmp_path):
    reasons = served("p1", **DENIED, c="<b>red</b>")
    printed = asked("p1", "--to", tmp_path / "new" / "notice.html")
    html = (tmp_path / "new" / "notice.html").read_text()
    text = " ".join(html.split())
    assert reasons["codes"][0]["says"] == "b is only -2.5"
    places = [text.index(said) for said in ("<li>b is only -2.5</li>", "<li>a is -2</li>")]
    assert places == sorted(places), "the largest first"
    for told in (
        "y: no”",
        "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating against credit applicants",
        "any right under the Consumer Credit Protection Act",
        "within 60 days of this notice; you will get it within 30 days",
        "obtain the intervention of a person, say what you think of the decision, and contest it",
        "Shapley values, for version 1 of the model",
        "<td>c</td><td>&lt;b&gt;red&lt;/b&gt;</td>",
    ):
        assert told in text, told
    marked = re.findall(r"<mark>\[to be written: (.*?)\]</mark>", html)
    assert len(marked) >= 12
    for what in (
        "name and address of the creditor",
        "appendix A of 12 CFR part 1002",
        "identity and contact details of the",
    ):
        assert any(what in each for each in marked), what
        assert what in printed
    assert printed.count("to be written: ") == len(marked)
    assert "customer" not in html, "who asked is not what the model was given"


def test_there_is_no_notice_of_what_is_no_denial(served, tmp_path):
    to = ("--to", tmp_path / "notice.html")
    served("p1", a=2.0, b=2.5)
    assert "was answered 'yes', which is not unfavourable ('no'): there is nothing" in asked("p1", *to, status=2)
    served("p2", "hash", **DENIED)
    assert "there are no reasons to tell: the log has hashed c" in asked("p2", *to, status=2)
    assert "no prediction 'p3' is in the log of small" in asked("p3", *to, status=2)
    assert not (tmp_path / "notice.html").exists()
    served("p4", **DENIED)
    (tmp_path / "notice.html").write_text("mine")
    assert "is there already; name another file" in asked("p4", *to, status=2)
    assert (tmp_path / "notice.html").read_text() == "mine"


def noted(*answers, final, reason="new documents"):
    """What people said of p1, and what is final of it."""
    known = {"prediction_id": "p1", "model_answer": "no"}
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    with reviewing("small"):
        for by, answer in answers:
            note_event("small", "decision", by, now, **known, answer=answer, reason=reason, text="")
        if final:
            people = [by for by, _ in answers]
            how = "late" if not answers else "confirmed" if final == "no" else "overridden"
            note_event("small", "final", "", now, **known, answer=final, people=people, how=how, reason=reason)


def test_what_people_overruled_is_no_denial(served, tmp_path):
    to = ("--to", tmp_path / "notice.html")
    served("p1", **DENIED)
    noted(("ann", "yes"), final="yes")
    told = "was answered 'no', but ann overruled that on 2026-12-01 09:00, and 'yes' holds, which is not unfavourable ('no')"
    assert told in asked("p1", *to, status=2)
    assert not (tmp_path / "notice.html").exists()


def test_what_holds_where_nobody_decided_in_time_counts_too(served, tmp_path):
    served("p1", **DENIED)
    noted(final="yes")
    assert "but nobody decided in time on 2026-12-01 09:00, and 'yes' holds" in asked(
        "p1", "--to", tmp_path / "n.html", status=2
    )


def test_a_denial_that_people_made_has_their_reasons(served, tmp_path):
    served("p1", a=2.0, b=2.5)
    noted(("ann", "no"), ("bob", "no"), final="no")
    told = (
        "was answered 'yes', but ann and bob overruled that on 2026-12-01 09:00, and 'no' holds: the model's reasons are not"
    )
    assert told in asked("p1", "--to", tmp_path / "n.html", status=2)


def test_a_denial_that_a_person_confirmed_says_so(served, tmp_path):
    served("p1", **DENIED)
    noted(("ann", "no"), final="no")
    asked("p1", "--to", tmp_path / "n.html")
    text = " ".join((tmp_path / "n.html").read_text().split())
    assert "A person looked at it afterwards, and confirmed it on 2026-12-01T09:00:00 (UTC)." in text
    assert "ann" not in text, "who, is for the record"


def test_what_waits_for_people_is_no_denial_yet(served, tmp_path, monkeypatch):
    served("p1", **DENIED, c="red")
    case = reviewed(tmp_path)
    with pytest.raises(CheckFailed, match=r"prediction p1 of small waits for people until .*: there is no decision yet"):
        notice_of(asked_of("p1", "small"), case)
    override(case, "p1", "yes", "new documents")
    with pytest.raises(InputError, match=r"overruled that on .*, and 'yes' holds"):
        notice_of(asked_of("p1", "small"), case)


def test_the_same_as_a_pdf(served, tmp_path):
    served("p1", **DENIED)
    printed = [asked("p1", "--to", tmp_path / f"notice.{form}") for form in ("html", "pdf")]
    content = (tmp_path / "notice.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert printed[0].count("to be written: ") == printed[1].count("to be written: ")
    assert "a notice is .html or .pdf; name the file so" in asked("p1", "--to", tmp_path / "notice.docx", status=2)


def test_a_pdf_has_what_the_page_has(monkeypatch):
    from fpdf import FPDF

    written, write = [], FPDF.write_html
    monkeypatch.setattr(FPDF, "write_html", lambda pdf, text, **more: (written.append(text), write(pdf, text, **more)))
    html, made = page_of(EXAMPLE).html, datetime(2026, 11, 30, tzinfo=UTC)
    first = pdf_of(html, "notice", made)
    assert first == pdf_of(html, "notice", made), "the same bytes for the same notice"
    said = [re.sub("<[^>]*>", "", text) for text in (html[html.index("<body>") :], written[0])]
    assert said[0].split() == said[1].split()
    assert "<style>" not in written[0]
    assert written[0].count('<font color="#b26a00"><b>[to be written: ') == html.count("<mark>")
    assert pdf_of("<body><p>Zażółć, Ωμέγα, Привет</p></body>", "x", made)
    with pytest.raises(InputError, match="the font of the PDF has no 漢; write HTML, and print it from a browser"):
        pdf_of("<body><p>漢</p></body>", "x", made)


def test_what_is_protected_is_marked_and_no_reason_is_invented():
    assert any("a protected column or a proxy" in each for each in page_of(EXAMPLE).to_write)
    none = page_of(EXAMPLE.model_copy(update={"codes": []}))
    assert any(each.startswith("the specific reasons: no column moved") for each in none.to_write)
    assert "<ol>" not in none.html
    kept = page_of(EXAMPLE.model_copy(update={"kept": "30 days"}))
    assert "Kept for: 30 days." in " ".join(kept.html.split())


def test_a_template_of_ones_own(tmp_path):
    own = tmp_path / "own.html"
    own.write_text('{{ notice.answer }} {% for code in notice.codes %}{{ code.says }}{% endfor %} {{ write("x & y") }}')
    assert page_of(EXAMPLE, own).html == (
        "0 debt is 41 % of income; at most 37 % is usual <mark>[to be written: x &amp; y]</mark>"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ notice.answer", "own.html:1: unexpected end of template"),
        ("\n{% for x in y %}", "own.html:2: Unexpected end of template"),
        ("{{ notice.anser }}", "has no attribute 'anser'"),
        ("{{ name }}", "'name' is undefined"),
        ("{{ write() }}", "missing 1 required positional argument"),
        ("{{ notice.__class__.__mro__ }}", "access to attribute '__class__' of 'Notice' object is unsafe"),
        (None, "cannot be read: "),
    ],
)
def test_a_wrong_template_is_told_at_the_check_too(tmp_path, text, told):
    if text is not None:
        (tmp_path / "own.html").write_text(text)
    features = "{numeric: [a, b], categorical: [c]}"
    case = small_use_case(tmp_path, **{features: f"{features}\nreasons: {{notice: {tmp_path}/own.html}}"})
    (said,) = _notice(case)
    assert said.startswith("reasons.notice: ")
    assert told in said
    with pytest.raises(InputError):
        page_of(EXAMPLE, Path(case.reasons.notice))
    assert not list(_notice(small_use_case(tmp_path)))
    (tmp_path / "own.html").write_text("{{ notice.record.a }}")
    assert not list(_notice(case)), "its own columns are known"
