"""The log's segments: whatever a crash leaves is told from what was finished, and whatever is changed is noticed."""

import fcntl
import json
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.log import Feedback, PredictionLog, Sensitive, hashed
from serving.segment import Cipher, SegmentError, groups

KEY = bytes(range(32))


def label(number):
    return Feedback(f"p{number}", "2026-01-01T00:00:00.000000Z", "yes", "caller \u00e9\n")


def written(folder, sizes, key=None):
    log, number = PredictionLog(folder, key), 0
    for size in sizes:
        log.append([label(number + i) for i in range(size)])
        number += size
    log.close()
    (segment,) = folder.glob("*.jsonl")
    return segment


def read(segment, key=None):
    lines = [line for _, group in groups(segment, Cipher(key) if key else None) for line in group.splitlines()]
    return [json.loads(line)["prediction_id"] for line in lines]


@pytest.mark.parametrize("key", [None, KEY])
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_a_segment_cut_anywhere_gives_whole_groups(tmp_path_factory, key, sizes, data):
    folder = tmp_path_factory.mktemp("log")
    segment = written(folder, sizes, key)
    whole = segment.read_bytes()
    ends = [end for end, _ in groups(segment, Cipher(key) if key else None)]
    assert ends[-1] == len(whole)
    cut = data.draw(st.integers(0, len(whole)))
    segment.write_bytes(whole[:cut])
    finished = sum(end <= cut for end in ends)
    assert read(segment, key) == [f"p{n}" for n in range(sum(sizes[:finished]))]
    shutil.rmtree(folder)


@pytest.mark.parametrize("key", [None, KEY])
@given(st.data())
def test_a_changed_byte_never_passes(tmp_path_factory, key, data):
    folder = tmp_path_factory.mktemp("log")
    segment = written(folder, [2, 3, 1], key)
    whole, wanted = bytearray(segment.read_bytes()), read(segment, key)
    at, flip = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    whole[at] ^= flip
    segment.write_bytes(whole)
    try:
        found = read(segment, key)
    except (SegmentError, UnicodeDecodeError):
        found = []
    assert found == wanted[: len(found)]  # at worst fewer records, never others
    assert len(found) < len(wanted)
    shutil.rmtree(folder)


def test_an_encrypted_segment_shows_nothing_and_needs_its_key(tmp_path):
    segment = written(tmp_path, [3], KEY)
    assert b"prediction" not in segment.read_bytes()
    with pytest.raises(SegmentError, match="is encrypted; set SLIPWAY_LOG_KEY"):
        read(segment)
    with pytest.raises(SegmentError, match="does not open"):
        read(segment, bytes(32))
    other = segment.with_name("predictions-other.jsonl")
    segment.rename(other)
    with pytest.raises(SegmentError, match="does not open"):
        read(other, KEY)


def test_segments_rotate_by_size_by_age_and_when_asked(tmp_path, monkeypatch):
    log = PredictionLog(tmp_path, segment_bytes=300, segment_seconds=1e9)
    for number in range(6):
        log.append([label(number)])
    assert len(list(tmp_path.glob("*.jsonl"))) > 1
    log = PredictionLog(tmp_path / "old", segment_seconds=0)
    log.append([label(0)])
    log.tick()
    log.append([label(1)])
    assert len(list((tmp_path / "old").glob("*.jsonl"))) == 2
    log = PredictionLog(tmp_path / "asked")
    log.append([label(0)])
    (tmp_path / "asked" / "rotate").touch()
    log.tick()
    log.append([label(1)])
    assert len(list((tmp_path / "asked").glob("*.jsonl"))) == 2


def test_a_segment_is_locked_while_it_is_written(tmp_path):
    log = PredictionLog(tmp_path)
    log.append([label(0)])
    (segment,) = tmp_path.glob("*.jsonl")
    with segment.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    log.close()
    with segment.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_short_write_is_finished_or_taken_back(tmp_path, monkeypatch):
    """Near a full disk the kernel takes a part of what is written."""
    log, real, calls = PredictionLog(tmp_path), os.write, []

    def short(file, data):
        calls.append(len(data))
        return real(file, bytes(data)[:10]) if len(calls) == 1 else real(file, data)

    monkeypatch.setattr(os, "write", short)
    log.append([label(0)])

    def fails(file, data):
        calls.append(len(data))
        if len(calls) % 2:
            return real(file, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(OSError, match="No space left"):
        log.append([label(1)])
    monkeypatch.setattr(os, "write", real)
    log.append([label(2)])
    log.close()
    assert sorted(record for segment in tmp_path.glob("*.jsonl") for record in read(segment)) == ["p0", "p2"]


def test_sensitive_columns_are_hashed_or_left_out():
    features = {"age": 41, "race": "x", "sex": None}
    assert Sensitive(["race", "sex"], "keep", b"k").guard(dict(features)) == features
    assert Sensitive(["race", "sex"], "omit", b"k").guard(dict(features)) == {"age": 41}
    guarded = Sensitive(["race", "sex"], "hash", b"k").guard(dict(features))
    assert guarded == {"age": 41, "race": hashed("x", b"k")}
    assert guarded["race"] != hashed("x", b"another key")
