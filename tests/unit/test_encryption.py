"""Whether a log is encrypted depends on the log: not on who deploys, and not on what somebody puts beside it."""

import json
import shutil

import pytest

from configs.errors import CheckFailed, InputError
from configs.settings import prediction_log
from serving.log.writer import PredictionLog
from tasks.deploying.settings import handed_over, secrets
from tasks.deploying.values import Release
from tasks.log.compact import compact
from tasks.log.encryption import begin, encryption, settle
from tasks.log.files import parts, segments
from tasks.log.verify import verify
from tests.unit.test_log_maintenance import KEY, prediction, rows

RELEASE = Release(
    name="small-v1", use_case="small", version="1", bundle="b", platform="local", image="i", log="predictions",
    settings={}, wanted=1,
)  # fmt: skip


@pytest.fixture
def folder(home):
    return prediction_log("small")


def write(folder, *numbers, sealed=True):
    log = PredictionLog(folder, bytes(range(32)) if sealed else None)
    log.append([prediction(number) for number in numbers])
    log.close()
    return segments(folder)[-1]


def ids():
    return [found for (found,) in rows("select prediction_id from log order by all")]


def test_a_deploy_without_the_key_of_an_encrypted_log_is_refused(folder, monkeypatch):
    assert handed_over(RELEASE).get("SLIPWAY_LOG_KEY") is None
    assert encryption(folder) is None
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    handed_over(RELEASE.model_copy(update={"log": "rehearsal"}))
    assert encryption(folder) is None, "a rehearsal's log is gone after it"
    handed_over(RELEASE)
    assert encryption(folder).plain is None
    assert KEY not in (folder.parent / "encrypted.json").read_text()
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY[4:8] + KEY[4:])
    with pytest.raises(InputError, match="with another key than SLIPWAY_LOG_KEY"):
        secrets("small")
    monkeypatch.delenv("SLIPWAY_LOG_KEY")
    for step in (secrets, compact):
        with pytest.raises(
            InputError, match=r"log of 'small' is encrypted since .*, and no key is given; set SLIPWAY_LOG_KEY"
        ):
            step("small")


def test_what_was_in_the_clear_before_the_key_stays_readable_and_nothing_else(folder, monkeypatch):
    old = write(folder, 1, sealed=False)
    compact("small")
    before = write(folder, 2, sealed=False)
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    begin("small")
    write(folder, 3)
    meanwhile = write(folder, 4, sealed=False)  # of the server that the new one replaces
    assert ids() == ["p001", "p002", "p003", "p004"]
    settle("small")
    settle("small")
    assert ids() == ["p001", "p002", "p003", "p004"]
    forged = folder / before.name.replace("predictions-1", "predictions-0")
    shutil.copy(before, forged)
    refused(forged)
    assert compact("small").segments == 3
    assert ids() == ["p001", "p002", "p003", "p004"]
    assert [part.suffix for part in parts(folder)] == [".parquet", ".sealed", ".sealed", ".sealed"]
    plain = folder / "compacted" / "day=2026-01-02" / f"{old.stem}.parquet"
    plain.parent.mkdir()
    shutil.copy(parts(folder)[0], plain)
    refused(plain)
    assert meanwhile.name not in [segment.name for segment in segments(folder)]


def refused(forged):
    with pytest.raises(CheckFailed, match=f"{forged.name}.* it is not sealed, and the log is encrypted"):
        ids()
    assert [file.name.split("/")[-1] for file in verify("small") if file.damaged] == [forged.name]
    forged.unlink()


def test_a_log_that_nobody_remembers_takes_what_is_older_than_its_first_sealed_file(folder, monkeypatch):
    write(folder, 1, sealed=False)
    write(folder, 2)
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    assert ids() == ["p001", "p002"]
    forged = write(folder, 3, sealed=False)
    refused(forged)
    assert compact("small").records == 2
    assert json.loads((folder.parent / "encrypted.json").read_text())["plain"]
    assert ids() == ["p001", "p002"]


def test_a_log_that_nobody_remembers_is_not_deployed_without_its_key(folder, monkeypatch):
    """A home from before: the next deploy remembers it, with the key that opens it and with no other."""
    write(folder, 1)
    for given, told in ((None, "no key is given"), (KEY[4:8] + KEY[4:], "SLIPWAY_LOG_KEY does not open it")):
        if given:
            monkeypatch.setenv("SLIPWAY_LOG_KEY", given)
        with pytest.raises(InputError, match=f"log of 'small' is encrypted, and {told}"):
            secrets("small")
        assert len(compact("small").damaged) == 1
        assert encryption(folder) is None
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    handed_over(RELEASE)
    assert encryption(folder) is not None
    assert ids() == ["p001"]


def test_a_key_that_no_server_has_yet_changes_nothing(folder, monkeypatch):
    """Maintenance may be given it before the next deploy."""
    write(folder, 1, sealed=False)
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    compact("small")
    write(folder, 2, sealed=False)
    assert ids() == ["p001", "p002"]
    assert encryption(folder) is None


def test_a_sealed_part_belongs_to_its_day(folder, monkeypatch):
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    write(folder, 1)
    compact("small")
    (part,) = parts(folder)
    other = folder / "compacted" / "day=2026-02-01" / part.name
    other.parent.mkdir()
    shutil.copy(part, other)
    with pytest.raises(CheckFailed, match="does not open"):
        ids()


@pytest.mark.parametrize("key", [None, KEY])
def test_compaction_deletes_no_record_of_a_segment_that_was_changed(folder, monkeypatch, key):
    """Every seventh byte; what is damaged is named and left as it is."""
    if key:
        monkeypatch.setenv("SLIPWAY_LOG_KEY", key)
    segment = write(folder, 1, 2, sealed=bool(key))
    log = PredictionLog(folder, bytes(range(32)) if key else None)
    whole = segment.read_bytes()
    for at in [*range(0, len(whole), 7), len(whole) - 1]:
        changed = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
        segment.write_bytes(changed)
        done = compact("small")
        assert (done.segments, len(done.damaged)) == (0, 1), at
        assert segment.read_bytes() == changed
    segment.write_bytes(whole)
    assert compact("small").records == 2
    log.close()
