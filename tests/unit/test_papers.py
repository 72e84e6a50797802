"""Papers say what the record has and where it stands; what only a person knows is theirs, or marked; nothing else."""

import json
import re

import pytest
from typer.testing import CliRunner

from configs.errors import CheckFailed, InputError
from configs.load import parse_use_case
from configs.papers import DataPapers, Papers
from configs.settings import store
from console.cli import app
from tasks.audit.checkpoint import sign_record
from tasks.history import record
from tasks.onboarding.check import _papers
from tasks.papers.paper import PAPERS, papers_of, pdf
from tasks.papers.record import law, record_of
from tests.conftest import SMALL, small_use_case
from tests.unit.test_explained import stored

ANNEX_IV = (
    *(f"1({point})" for point in "abcdefgh"),
    *(f"2({point})" for point in "abcdefgh"),
    *(f"{number}. " for number in range(1, 10)),
)


@pytest.fixture
def known(home, bundle_folder):
    """Version 1 of the small use case, with a history."""
    bundle = stored(bundle_folder)
    checks = [{"check": "answers", "passed": "yes", "found": "3 of 3 <b>rows</b>"}]
    record("small", "gate", "gate contract: 1 check passed", version="1", passed=True, checks=checks)
    record("small", "verdict", "better by 0.03", version="1", against="0", by="")
    record("small", "rollout", "stage 1: holds", version="1", rollout="r1", move="advance")
    record("small", "quarantine", "it was wrong", version="1", move="in", by="ann")
    record("small", "deploy", "back", version="1", previous="2", bundle=bundle.digest, rollback=True, by="ann")
    sign_record("small")
    return record_of("small", "1")


def text_of(html):
    return " ".join(re.sub("<[^>]*>", " ", html[html.index("<body>") :]).split())


def by_name(known, said=None):
    return {paper.name: paper for paper in papers_of(known, said or Papers())}


def all_said():
    said = {key: f"SAID of {key}" for key in Papers.model_fields if key not in ("data", "templates")}
    return Papers(**said, data=DataPapers(**{key: f"SAID of data {key}" for key in DataPapers.model_fields}))


def test_the_technical_file_has_every_point_of_annex_iv_in_its_order(known):
    heads = re.findall("<h[23]>(.*?)</h", by_name(known)["technical-file"].html)
    points = [next((point for point in ANNEX_IV if head.startswith(point)), None) for head in heads]
    found = [point for point in points if point]
    wanted = ["1. ", *ANNEX_IV[:8], "2. ", *ANNEX_IV[8:16], *ANNEX_IV[18:]]
    assert found == wanted


def test_what_nobody_said_is_marked_counted_and_listed(known):
    asked = {name: field.description for name, field in Papers.model_fields.items() if field.description}
    asked |= {f"data.{name}": field.description for name, field in DataPapers.model_fields.items()}
    papers, marked = by_name(known), set()
    for paper in papers.values():
        found = re.findall(r"<mark>\[to be written: (.*?)\]</mark>", paper.html)
        assert len(found) == len(paper.to_write)
        assert f"Still to be written by a person: {len(found)}" in text_of(paper.html)
        assert paper.html.count("<li>") == len(found)
        marked |= set(paper.to_write)
    assert marked == set(asked.values()), "each key is asked for somewhere, and nothing else is"
    assert {name: len(paper.to_write) for name, paper in papers.items()} == dict(zip(PAPERS, (11, 34, 27), strict=True))


def test_what_people_said_stands_there_and_leaves_no_mark(known):
    for paper in by_name(known, all_said()).values():
        assert "<mark>" not in paper.html
        assert paper.to_write == []
        assert "Still to be written by a person: 0" in paper.html
    one = by_name(known, Papers(purpose="To <i>help</i>\nwho decides"))["model-card"]
    assert "To &lt;i&gt;help&lt;/i&gt;<br>who decides" in one.html
    before, after = by_name(known)["model-card"].to_write, one.to_write
    assert set(before) - set(after) == {Papers.model_fields["purpose"].description}


def test_figures_are_those_of_the_record_and_say_where_they_stand(known):
    papers = by_name(known)
    bundle = next(store("bundles").iterdir())
    card, sheet, technical = (text_of(papers[name].html) for name in PAPERS)
    manifest = json.loads((bundle / "manifest.json").read_text())
    measured = re.findall(r"^\| (\w+) \| ([\d.]+) \|$", (bundle / "card.md").read_text(), re.MULTILINE)
    assert len(measured) > 3
    for name, value in measured:
        assert f"{name} {value}" in card
        assert f"{name} {value}" in technical
    for told in (
        f"Source: store/bundles/{bundle.name}/card.md",
        f"learned from {manifest['lineage']['learned_rows']:,} the last of them",
        f"rows 600 snapshot of them store/snapshots/{manifest['lineage']['snapshot']}.parquet",
        f"Source: store/bundles/{bundle.name}/manifest.json",
        "quarantine in it was wrong ann",
        "1 after 2 rolled back back ann",
        "Source: use_cases/small/history.jsonl",
    ):
        assert told in card, told
    assert "yes 3 of 3 &lt;b&gt;rows&lt;/b&gt; a command" in technical
    assert "better by 0.03" in technical
    assert "rollout advance stage 1: holds" in technical
    assert "use_cases/small/audit/checkpoints/0" in technical
    assert "Not in the record: no window with answers of version 1 was looked at" in technical
    assert "Not in the record: no answer was finally decided by people" in technical
    assert "b numeric" in sheet
    assert "c categorical not told no sensitive" in sheet


def test_every_table_says_its_source(known):
    for paper in by_name(known).values():
        for table in re.findall("<table>.*?</table>(?:\n<p><i>.*?</p>)?", paper.html, re.DOTALL):
            assert re.search("<i>(Source|Checked): |where it stands</th>", table), table[:200]


def test_the_same_record_gives_the_same_papers(known):
    assert papers_of(known, Papers()) == papers_of(record_of("small", "1"), Papers())
    paper = by_name(known)["model-card"]
    assert pdf(paper, known) == pdf(paper, known)


def test_dates_of_duties_have_a_source_each_and_are_no_advice(known):
    duties = {duty.day: duty for duty in known.duties}
    assert sorted(duties) == [duty.day for duty in known.duties]
    assert "annex III" in duties["2027-12-02"].what
    assert duties["2027-12-02"].moved == "was 2026-08-02"
    assert "general application" in duties["2026-08-02"].what
    assert all("article" in duty.source for duty in known.duties)
    html = text_of(by_name(known)["technical-file"].html)
    assert law()["caution"] in html
    assert "no legal advice" in html
    assert f"Checked: {law()['checked']}" in html


def test_what_people_say_is_no_part_of_what_a_version_is(tmp_path):
    text = SMALL.format(path=tmp_path / "rows.csv")
    plain, said = (parse_use_case(text + more, "small.yaml") for more in ("", "papers: {purpose: to help}\n"))
    assert said.papers.purpose == "to help"
    assert plain.model_dump(mode="json") == said.model_dump(mode="json")
    with pytest.raises(InputError, match=r"unknown key 'papers\.purpos'; did you mean 'purpose'"):
        parse_use_case(text + "papers: {purpos: x}\n", "small.yaml")
    with pytest.raises(InputError, match=r"'papers\.purpose'"):
        parse_use_case(text + "papers: {purpose: '  '}\n", "small.yaml")


def test_a_template_of_ones_own(known, tmp_path):
    (tmp_path / "model-card.html").write_text('{{ record.version }} {{ person("purpose") }} {{ write("x & y") }}')
    own = by_name(known, Papers(templates=str(tmp_path), purpose="z"))
    assert own["model-card"].html == "1 z <mark>[to be written: x &amp; y]</mark>"
    assert own["model-card"].to_write == ["x & y"]
    assert own["data-sheet"] == by_name(known)["data-sheet"]
    with pytest.raises(InputError, match=r"papers\.templates: none: has none of model-card\.html, "):
        by_name(known, Papers(templates="none"))
    assert list(_papers(small_use_case(tmp_path, **{"monitoring": "papers: {templates: none}\nmonitoring"})))
    for wrong, told in (
        ("person('purpos')", "did you mean 'purpose'"),
        ("table(record.until)", "takes a table of the record"),
    ):
        (tmp_path / "model-card.html").write_text(f"{{{{ {wrong} }}}}")
        with pytest.raises(InputError, match=told):
            by_name(known, Papers(templates=str(tmp_path)))
    (tmp_path / "model-card.html").write_text("{{ record.")
    with pytest.raises(InputError, match=r"papers.templates: .*model-card.html:1: "):
        by_name(known, Papers(templates=str(tmp_path)))


def command(*words, status=0):
    done = CliRunner().invoke(app, ["papers", *map(str, words)])
    if status:
        assert isinstance(done.exception, InputError | CheckFailed), (done.output, done.exception)
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return " ".join(done.output.split())


def test_the_command_writes_them_and_overwrites_nothing_of_anybody(known, tmp_path):
    told = command("small", "--version", "1", "--to", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{name}.{form}" for name in PAPERS for form in ("html", "pdf")
    )
    assert "model-card: 11 things are still to be written by a person" in told
    assert (tmp_path / "out" / "technical-file.pdf").read_bytes().startswith(b"%PDF-")
    assert command("small", "--version", "1", "--to", tmp_path / "out") == told, "the same again is no other"
    (tmp_path / "out" / "model-card.html").write_text("mine")
    assert "is there already and says something else" in command("small", "--version", 1, "--to", tmp_path / "out", status=2)
    assert (tmp_path / "out" / "model-card.html").read_text() == "mine"


def test_bad_input_is_told(known):
    assert "nothing of 'small' serves; say of which version" in command("small", status=2)
    assert "use case 'smal' has no record in" in command("smal", status=2)
    assert "use case 'smal' has no record in" in command("smal", "--version", "1", status=2)
    assert "mlflow is not up in" in command("small", "--version", "7", status=2)
    bundle = next(store("bundles").iterdir())
    (bundle / "card.md").write_text("better")
    assert "card.md is not the file that manifest.json names" in command("small", "--version", "1", status=1)
