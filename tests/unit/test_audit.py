"""The record proves itself: every kind of tampering is tried, found and named; by the home, and by a stranger."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log, use_case_home
from serving.log.writer import PredictionLog
from tasks.audit.canonical import canonical
from tasks.audit.checkpoint import sign_record
from tasks.audit.examine import examine
from tasks.audit.export import export
from tasks.audit.outside import leaf_hash, parse_checkpoint, root_hash
from tasks.audit.signing import audit_key, key_text, make_audit_key, signed_checkpoint
from tasks.audit.tree import own_notes, read_entries, record_folder
from tasks.history import record
from tasks.log.conditions import parse_condition
from tasks.log.erase import erase
from tasks.log.files import parts
from tasks.log.retain import drop_old
from tests.unit.test_log_maintenance import KEY, case, label, log, prediction, rotate_and_compact

__all__ = ["case", "log"]  # fixtures


def told(begin=0, end=6):
    for number in range(begin, end):
        record("small", "deploy", f"number {number}", version=str(number), by="ann")


@pytest.fixture
def signed(home):
    """Three checkpoints: of 6, 9 and 12 entries of the history, and those of an empty ledger and nobody else."""
    for end in (6, 9, 12):
        told(end - 3 if end > 6 else 0, end)
        sign_record("small")
    return record_folder("small")


def findings():
    return [tuple(finding) for finding in examine("small").findings]


def stranger(folder, *options, status):
    """What the exported `verify.py` prints in a process that finds nothing of ours, run from another folder."""
    program = [sys.executable, "-I", str(folder / "verify.py"), *map(str, options)]
    done = subprocess.run(program, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_happened_is_signed_and_holds(log, case):
    told()
    log.append([prediction(n) for n in range(4)])
    log.append([label(1)])
    rotate_and_compact(log)
    made = sign_record("small")
    entries = [json.loads(entry) for entry in read_entries("small")]
    assert made.size == made.added == len(entries) == 6 + 2 + 2  # the history, the ledger's two lines, two parts' rows
    assert [entry["source"] for entry in entries] == ["history"] * 6 + ["log"] * 2 + ["rows"] * 2
    compacted = entries[7]["event"]
    assert [part["records"] for part in compacted["parts"]] == [4, 1]
    assert compacted["parts"][0]["first"] == "2026-01-01 00:00:00"
    found = examine("small")
    assert (found.findings, found.entries, found.checkpoints, found.files) == ([], 10, 1, 2)
    assert sign_record("small").added == 0
    assert len(own_notes("small")) == 1, "nothing new, no other checkpoint"


def test_a_checkpoint_is_a_note_that_names_home_size_and_root(signed):
    note = own_notes("small")[-1]
    checkpoint, entries = parse_checkpoint(note), read_entries("small")
    assert checkpoint.origin == audit_key("small").name
    assert checkpoint.size == len(entries)
    assert checkpoint.root == root_hash([leaf_hash(entry) for entry in entries])
    assert oct((use_case_home("small").parents[1] / "signing" / "audit.pem").stat().st_mode)[-3:] == "600"


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def put_lines(path, lines):
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def changed(lines):
    lines[3] = lines[3].replace(b"number 3", b"number 7")
    assert b"number 7" in lines[3]


def changed_twice(lines):
    lines[1] = lines[1].replace(b"ann", b"bob")
    lines[8] = lines[8].replace(b"ann", b"bob")


def dropped(lines):
    del lines[4]


def reordered(lines):
    lines[4], lines[5] = lines[5], lines[4]


def inserted(lines):
    lines.insert(4, lines[4].replace(b"ann", b"bob"))


def inserted_at_the_end(lines):
    lines.append(lines[4].replace(b"ann", b"bob"))


def cut(lines):
    del lines[-2:]


TAMPERED = [
    (changed, [("changed", "entry 3 is not what was recorded")]),
    (changed_twice, [("changed", f"entry {n} is not what was recorded") for n in (1, 8)]),
    (dropped, [("dropped", "entry 4 is missing")]),
    (reordered, [("reordered", "entries 4 to 5 stand in another order")]),
    (inserted, [("inserted", "entry 4 was never recorded")]),
    (inserted_at_the_end, [("inserted", "entry 13 was never recorded")]),
    (cut, [("cut", "entries 11 to 12 are missing: the end was cut off")]),
]


@pytest.mark.parametrize(("tamper", "expected"), TAMPERED, ids=[each[0].__name__ for each in TAMPERED])
def test_tampering_with_entries_is_found_and_named(signed, tmp_path, tamper, expected):
    export("small", tmp_path / "out")
    stranger(tmp_path / "out", status=0)
    for folder in (signed, tmp_path / "out"):
        lines = lines_of(folder / "entries.jsonl")
        tamper(lines)
        put_lines(folder / "entries.jsonl", lines)
    assert [one for one in findings() if one[1].startswith("entr")] == expected
    printed = stranger(tmp_path / "out", status=1)
    assert [line for line in printed.splitlines() if ": entr" in line] == [f"{what}: {why}" for what, why in expected]
    if tamper is not inserted_at_the_end:
        told(12, 13)
        with pytest.raises(
            CheckFailed, match=r"small was changed: its entries are not those that the checkpoint of .* signed"
        ):
            sign_record("small")


WITH_HASHES = [
    (changed, "changed", "entries 0 to 6, and their hashes with them, are not those that the checkpoint of"),
    (dropped, "changed", "entries 0 to 6, and their hashes with them,"),
    (reordered, "changed", "entries 0 to 6, and their hashes with them,"),
    (inserted, "changed", "entries 0 to 6, and their hashes with them,"),
    (inserted_at_the_end, "inserted", "entry 13 was never recorded"),
    (cut, "cut", "is of 13 entries, and there are 11: the end was cut off"),
]


@pytest.mark.parametrize(("tamper", "what", "why"), WITH_HASHES, ids=[each[0].__name__ for each in WITH_HASHES])
def test_without_the_key_no_hashes_help_who_tampers(signed, tmp_path, tamper, what, why):
    export("small", tmp_path / "out")
    lines = lines_of(tmp_path / "out" / "entries.jsonl")
    tamper(lines)
    put_lines(tmp_path / "out" / "entries.jsonl", lines)
    (tmp_path / "out" / "hashes").write_bytes(b"".join(map(leaf_hash, lines)))
    first = stranger(tmp_path / "out", status=1).splitlines()[0]
    assert first.startswith(f"{what}: ")
    assert why in first


def test_where_only_the_hashes_were_changed_the_entries_are_right(signed):
    hashes = bytearray((signed / "hashes").read_bytes())
    hashes[40] ^= 1
    (signed / "hashes").write_bytes(hashes)
    assert findings() == [("changed", "the file of hashes is not that of the entries, which are as they were signed")]


@pytest.fixture
def witness(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_AUDIT_WITNESS", f"file://{tmp_path}/witness")
    return tmp_path / "witness"


def rewritten(tamper):
    """What whoever has the key and all of the home can do: history, entries, hashes, checkpoints, all of it again."""
    folder = record_folder("small")
    lines = lines_of(folder / "entries.jsonl")
    tamper(lines)
    put_lines(folder / "entries.jsonl", lines)
    events = [json.loads(line) for line in lines]
    history = [json.dumps(each["event"]).encode() for each in events if each["source"] == "history"]
    put_lines(use_case_home("small") / "history.jsonl", history)
    (folder / "hashes").write_bytes(b"".join(map(leaf_hash, lines)))
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").mkdir()
    note = signed_checkpoint("small", len(lines), root_hash(list(map(leaf_hash, lines))))
    (folder / "checkpoints" / f"{len(lines):012d}.txt").write_text(note)


def test_own_checkpoints_that_a_rewriter_left_give_it_away(signed):
    left = sorted((signed / "checkpoints").iterdir())[0]
    text = left.read_text()
    rewritten(changed)
    left.write_text(text)
    ((what, why),) = findings()
    assert what == "rewritten"
    assert why.endswith("signed with the same key: the first 7 entries were others then")


def test_who_replaces_the_key_is_found_by_who_knows_it(signed, home):
    known = audit_key("small")
    (home / "signing" / "audit.pem").unlink()
    assert examine("small", known).findings == [], "to verify needs no private key"
    make_audit_key()
    rewritten(changed)
    assert findings() == [], "by itself it holds"
    assert {each.what for each in examine("small", known).findings} >= {"another home"}


@pytest.mark.parametrize(
    ("tamper", "what", "why"),
    [
        (changed, "rewritten", "signed with the same key: the first 7 entries were others then"),
        (dropped, "rewritten", "signed with the same key: the first 7 entries were others then"),
        (cut, "cut", "signed with the same key: 13 entries, and there are 11"),
    ],
)
def test_who_has_the_key_cannot_rewrite_what_a_witness_has_seen(witness, signed, tmp_path, tamper, what, why):
    rewritten(tamper)
    first = findings()[0] if tamper is not cut else findings()[-1]
    assert first[0] == what
    assert first[1].endswith(why)
    export("small", tmp_path / "out")
    assert "all of it holds" in stranger(tmp_path / "out", status=0), "without a witness nobody could know"
    seen = stranger(tmp_path / "out", "--witness", witness / audit_key("small").name, status=1)
    assert why in seen


def test_the_witness_gets_what_it_missed_and_nothing_twice(signed, witness):
    assert examine("small").witnessed == 0
    assert sign_record("small").witnessed == 3
    files = sorted((witness / audit_key("small").name).iterdir())
    before = [(path.name, path.stat().st_mtime_ns) for path in files]
    told(12, 13)
    assert sign_record("small").witnessed == 1
    assert [(path.name, path.stat().st_mtime_ns) for path in files] == before
    assert (examine("small").witnessed, findings()) == (4, [])


def test_a_witness_that_cannot_be_reached_is_told_and_the_checkpoint_kept(home, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SLIPWAY_AUDIT_WITNESS", str(tmp_path / "file"))
    told()
    with pytest.raises(CheckFailed, match=r"the checkpoints are kept, and the witness .* did not take them"):
        sign_record("small")
    assert len(own_notes("small")) == 1
    monkeypatch.setenv("SLIPWAY_AUDIT_WITNESS", "nothing-of-the-kind://there")
    with pytest.raises(InputError, match="SLIPWAY_AUDIT_WITNESS=nothing-of-the-kind://there: "):
        sign_record("small")


def test_a_checkpoint_that_was_changed_is_forged(signed):
    path = sorted((signed / "checkpoints").iterdir())[1]
    path.write_text(path.read_text().replace("time 2", "time 1"))
    assert [(what, "it was changed" in why) for what, why in findings()] == [("forged", True)]
    path.write_text("nothing")
    assert findings() == [("forged", "checkpoint 1: not a signed checkpoint: 'nothing'")]


def test_a_proof_of_another_home_is_none(signed, tmp_path, monkeypatch):
    export("small", tmp_path / "out")
    mine = key_text(audit_key("small"))
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "other"))
    told()
    sign_record("small")
    other = key_text(audit_key("small"))
    assert other != mine
    printed = stranger(tmp_path / "out", "--key", other, status=1)
    assert f"another key: key.txt is {mine}, and you know {other}" in printed
    assert f"another home: the checkpoint of {datetime.now(UTC):%Y-%m-}" in printed
    assert "is no key; one looks like" in stranger(tmp_path / "out", "--key", "mine", status=2)
    shutil.copytree(tmp_path / "home" / "use_cases" / "small" / "audit", record_folder("small"), dirs_exist_ok=True)
    assert {what for what, _ in findings()} >= {"another home"}


def test_a_journal_is_held_against_the_record(signed):
    history, whole = use_case_home("small") / "history.jsonl", lines_of(use_case_home("small") / "history.jsonl")
    for tamper, expected in [
        (changed, ("changed", "history line 4 is not what was recorded")),
        (dropped, ("dropped", "history line 5 is missing")),
        (reordered, ("reordered", "history lines 5 to 6 stand in another order")),
        (inserted, ("inserted", "history line 5 was never recorded")),
        (cut, ("cut", "history lines 11 to 12 are missing: the end was cut off")),
    ]:
        lines = [*whole]
        tamper(lines)
        put_lines(history, lines)
        assert findings() == [expected]
    told(12, 13)
    with pytest.raises(CheckFailed, match=r"has 11 lines, and 12 are in the audit record of small: its end was cut off"):
        sign_record("small")
    put_lines(history, whole)
    told(12, 15)
    assert (findings(), examine("small").waiting) == ([], 3), "what came since waits for the next checkpoint"


@pytest.fixture
def parted(log, case, monkeypatch, request):
    """A log with two parts, signed; one that is encrypted where the test says so."""
    log.append([prediction(n, day=1 + n % 2, customer="alice" if n == 4 else "bob") for n in range(9)])
    rotate_and_compact(log)
    sign_record("small")
    return parts(prediction_log("small"))


def test_parts_are_held_against_the_record(parted, log):
    first, second = parted
    name = f"day=2026-01-01/{first.name}"
    content = first.read_bytes()
    first.write_bytes(content[:-9] + b"x" + content[-8:])
    assert findings() == [("changed", f"{name} is not what was written")]
    first.write_bytes(content)
    shutil.copy(first, first.with_name("another.parquet"))
    assert findings() == [("inserted", "day=2026-01-01/another.parquet was written by no maintenance")]
    first.with_name("another.parquet").unlink()
    second.unlink()
    assert findings() == [("dropped", f"day=2026-01-02/{second.name} is missing")]


def test_a_closed_segment_is_held_against_the_record(log):
    log.append([prediction(1)])
    log.close()
    sign_record("small")
    (segment,) = prediction_log("small").glob("*.jsonl")
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"shop", b"ship"))
    assert findings() == [("changed", f"segment {segment.name} is not what it was when it was closed")]
    segment.unlink()
    assert findings() == [("dropped", f"segment {segment.name} is missing")]


def test_a_segment_that_was_changed_before_its_compaction_is_found(log):
    from serving.log.segment import close_group, groups
    from tasks.log.compact import compact

    log.append([prediction(1)])
    log.close()
    sign_record("small")
    (segment,) = prediction_log("small").glob("*.jsonl")
    ((_, lines),) = groups(segment)
    segment.write_bytes(close_group(lines.replace(b'"yes"', b'"no"'), 1, segment.name, None))
    assert compact("small").damaged == (), "its checksum is right"
    sign_record("small")
    ((what, why),) = findings()
    assert what == "changed"
    assert why.startswith(f"{segment.name} had another content when it was compacted")


def test_erasure_and_retention_keep_the_proofs(parted, log, case):
    before = parted[0].read_bytes()
    erase("small", [parse_condition("customer=alice", case)], "asked")
    assert findings() == [], "the ledger knows what it became"
    sign_record("small")
    assert findings() == []
    events = [json.loads(entry)["event"] for entry in read_entries("small")]
    (erased,) = [event for event in events if event["what" if "what" in event else "part"] == "erased"]
    assert erased["after"]["records"] == 4
    assert b"alice" not in b"".join(read_entries("small"))
    kept = {path.name for path in (record_folder("small") / "rows").iterdir()}
    assert erased["part"]["sha256"] not in kept, "no hash of an erased row stays"
    assert erased["after"]["sha256"] in kept
    after = parted[0].read_bytes()
    parted[0].write_bytes(before)
    ((what, why),) = findings()
    assert (what, "holds what an erasure took out" in why) == ("undone", True)
    parted[0].write_bytes(after)
    days = drop_old(case.model_copy(update={"log": case.log.model_copy(update={"keep": KEEP})}))
    assert len(days) == 2
    sign_record("small")
    assert (findings(), list((record_folder("small") / "rows").iterdir())) == ([], [])
    parted[0].parent.mkdir(exist_ok=True)
    parted[0].write_bytes(after)
    ((what, why),) = findings()
    assert (what, "retention has dropped it" in why) == ("undone", True)


KEEP = datetime.now(UTC) - datetime.now(UTC).replace(day=1, hour=0, minute=0) + (datetime(2026, 1, 3) - datetime(2026, 1, 2))


def test_an_encrypted_log_is_proven_as_it_lies(home, case, monkeypatch):
    import base64

    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    log = PredictionLog(prediction_log("small"), base64.b64decode(KEY))
    log.append([prediction(n, customer="alice" if n == 4 else "bob") for n in range(9)])
    rotate_and_compact(log)
    sign_record("small")
    erase("small", [parse_condition("customer=alice", case)], "asked")
    sign_record("small")
    monkeypatch.delenv("SLIPWAY_LOG_KEY")
    assert findings() == [], "no key is needed to verify"
    (part,) = parts(prediction_log("small"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert [what for what, _ in findings()] == ["changed"]
    log.close()


def test_a_run_that_was_killed_before_it_signed_is_done_again(signed):
    told(12, 14)
    whole = lines_of(signed / "entries.jsonl")
    entry = canonical({"source": "history", "line": 13, "event": {"what": "deploy", "reason": "by nobody"}})
    put_lines(signed / "entries.jsonl", [*whole, entry])
    with (signed / "entries.jsonl").open("ab") as file:
        file.write(b'{"torn')
    assert ("inserted", "entry 13 was never recorded") in findings()
    assert sign_record("small").added == 2
    assert findings() == []
    assert b"by nobody" not in b"".join(read_entries("small"))


def test_what_people_change_is_recorded(home, tmp_path, monkeypatch):
    from tasks.people import Person, put_person

    use_cases = tmp_path / "use_cases"
    use_cases.mkdir()
    monkeypatch.setenv("SLIPWAY_USE_CASES", str(use_cases))
    from tests.conftest import SMALL

    (tmp_path / "rows.csv").write_text("a,b,c,y\n1,2,red,yes\n")
    text = SMALL.format(path=tmp_path / "rows.csv")
    (use_cases / "small.yaml").write_text(text)
    told(0, 1)
    assert sources(sign_record("small")) == ["history", "log", "configuration"]
    put_person(Person(name="ann", roles=("approver",), account="ann"))
    (use_cases / "small.yaml").write_text(text.replace("at_least: 0.6", "at_least: 0.7"))
    made = sign_record("small")
    assert sources(made) == ["configuration", "people"]
    assert b'"at_least":0.7' in read_entries("small")[-2]
    assert sign_record("small").added == 0


def sources(made):
    return [json.loads(entry)["source"] for entry in read_entries("small")[made.size - made.added :]]


def test_bad_input_is_told(home, tmp_path):
    with pytest.raises(InputError, match=r"'small' has no audit record in .*; 'slipway audit checkpoint small' begins one"):
        examine("small")
    with pytest.raises(InputError, match="nothing of 'small' is signed"):
        export("small", tmp_path / "out")
    told()
    sign_record("small")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "there").touch()
    with pytest.raises(InputError, match="is there and not empty; name a new folder"):
        export("small", tmp_path / "out")
    key = home / "signing" / "audit.pem"
    os.chmod(key, 0o644)
    with pytest.raises(InputError, match=r"can be read by others \(mode 644\); chmod 600 it"):
        sign_record("small")
    key.unlink()
    with pytest.raises(InputError, match="is not there; put it back"):
        examine("small")
    assert not key.exists(), "a lost key is not replaced by another"


def test_the_outsiders_file_imports_nothing_of_ours():
    import ast

    from tasks.audit import outside

    nodes = list(ast.walk(ast.parse(Path(outside.__file__).read_text())))
    named = {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    named |= {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert named - set(sys.stdlib_module_names) == {"cryptography"}


class Killed(BaseException):
    """What no code of ours catches."""


def dying(monkeypatch, module, name, after):
    """The function of that module, which does its work or not, and then dies."""
    import importlib

    found = importlib.import_module(module)
    real = getattr(found, name)

    def die(*words, **more):
        if after:
            real(*words, **more)
        raise Killed

    monkeypatch.setattr(found, name, die)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("tasks.audit.tree", "append_line"),
        ("tasks.audit.checkpoint", "add"),
        ("tasks.audit.checkpoint", "signed_checkpoint"),
        ("tasks.audit.checkpoint", "keep_note"),
    ],
)
def test_signing_that_is_killed_anywhere_is_done_again(signed, monkeypatch, module, name, after):
    told(12, 15)
    with monkeypatch.context() as patch:
        dying(patch, module, name, after)
        with pytest.raises(Killed):
            sign_record("small")
    done = sign_record("small")
    assert (done.size, findings()) == (16, [])
    assert [json.loads(entry)["line"] for entry in read_entries("small")[-3:]] == [13, 14, 15]
    assert sign_record("small").added == 0


def test_compaction_that_is_killed_is_done_again_and_proven(log, monkeypatch):
    log.append([prediction(n, day=1 + n % 2) for n in range(9)])
    with monkeypatch.context() as patch:
        dying(patch, "tasks.log.compact", "swapping", after=False)
        with pytest.raises(Killed):
            rotate_and_compact(log)
    sign_record("small")
    assert findings() == [], "its segment is there, and its parts do not count yet"
    rotate_and_compact(log)
    sign_record("small")
    assert findings() == []
    assert examine("small").files == 2


def test_an_erasure_that_is_killed_is_told_and_done_again(parted, log, case, monkeypatch):
    alice = [parse_condition("customer=alice", case)]
    with monkeypatch.context() as patch:
        dying(patch, "tasks.log.rewrite", "put_part", after=False)
        with pytest.raises(Killed):
            erase("small", alice, "asked")
    sign_record("small")
    ((what, why),) = findings()
    assert (what, "it was undone, or killed; erase again" in why) == ("undone", True)
    assert erase("small", alice, "asked").predictions == 1
    sign_record("small")
    assert findings() == []
