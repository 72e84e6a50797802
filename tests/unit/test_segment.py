"""The log's segments: whatever a crash leaves is told from what was finished, and whatever is changed is noticed."""

import base64
import fcntl
import json
import os
import shutil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.log.segment import Cipher, SegmentError, groups
from serving.log.writer import Feedback, Prediction, PredictionLog, Refused, Review, Sensitive, Shadow, hashed

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


TIME = "2026-01-01T00:00:00.000000Z"
ONE_OF_EACH = [
    label(0),
    Prediction("p0", TIME, TIME, "1", "r", "champion", "shop", {"a": 1.0}, "yes", [0.5], 1, "d"),
    Shadow("p0", TIME, TIME, "2", "s", "shop", "no", [0.5], 1, "plan", "shadow"),
    Refused(TIME, TIME, 422, "a", "shop", 1),
    Review("p0", TIME, "no", "review", "overridden"),
]


@pytest.mark.parametrize("entry", ONE_OF_EACH, ids=lambda entry: type(entry).__name__)
def test_a_group_of_any_kind_that_a_crash_tore_is_no_damage(tmp_path, entry):
    log = PredictionLog(tmp_path)
    log.append([entry, entry])
    log.close()
    (segment,) = tmp_path.glob("*.jsonl")
    whole = segment.read_bytes()
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        assert list(groups(segment, None)) == []


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, None])
def test_a_changed_byte_is_told_as_damage_wherever_it_is(tmp_path, key, flip):
    """Every byte of a finished segment; none passes for a torn tail, which would be cut off. `None` makes it a new line."""
    segment = written(tmp_path, [2, 3, 1], key)
    whole = segment.read_bytes()
    assert len(read(segment, key)) == 6
    for at, byte in enumerate(whole):
        changed = 0x0A if flip is None else byte ^ flip
        if changed != byte:
            segment.write_bytes(whole[:at] + bytes([changed]) + whole[at + 1 :])
            with pytest.raises(SegmentError, match=segment.name):
                read(segment, key)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_byte_that_is_lost_or_added_is_told(tmp_path, key):
    segment = written(tmp_path, [2, 1], key)
    whole = segment.read_bytes()
    for at in range(len(whole) - 1):  # without the last one it is torn
        for changed in (whole[:at] + whole[at + 1 :], whole[:at] + b"x" + whole[at:]):
            segment.write_bytes(changed)
            with pytest.raises(SegmentError, match=segment.name):
                read(segment, key)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_tail_that_a_disk_lost_is_damage(tmp_path, key):
    segment = written(tmp_path, [2, 1], key)
    whole = segment.read_bytes()
    for at in range(len(whole)):
        segment.write_bytes(whole[:at] + bytes(len(whole) - at))
        with pytest.raises(SegmentError, match=segment.name):
            read(segment, key)


def test_a_sealed_group_belongs_to_its_place(tmp_path):
    segment = written(tmp_path, [1, 1, 1], KEY)
    first, second, third = segment.read_bytes().splitlines(keepends=True)
    for forged in (
        [first, second, third, second],
        [first, first, second, third],
        [second, first, third],
        [first, third],
        [first.replace(b'"records":1', b'"records":2'), second],
        [first, second.replace(b'"at":%d,' % len(first), b"")],
    ):
        segment.write_bytes(b"".join(forged))
        with pytest.raises(SegmentError, match=r"is not what was written|does not open"):
            read(segment, KEY)


def test_a_plain_group_is_not_taken_for_one_of_an_encrypted_log(tmp_path):
    plain = written(tmp_path / "plain", [1]).read_bytes()
    segment = written(tmp_path / "sealed", [1, 1], KEY)
    first, second = segment.read_bytes().splitlines(keepends=True)
    for forged in (first + second + plain, first + plain + second, plain + first + second):
        segment.write_bytes(forged)
        with pytest.raises(SegmentError, match=r"not what was written|is not sealed"):
            read(segment, KEY)
    segment.write_bytes(plain)
    assert read(segment, KEY) == ["p0"]  # from before the key
    with pytest.raises(SegmentError, match="it is not sealed, and the log is encrypted"):
        list(groups(segment, Cipher(KEY), plain=False))
    segment.write_bytes(plain[:40])
    assert list(groups(segment, Cipher(KEY), plain=False)) == []


def test_a_segment_from_before_is_read_and_a_repeated_group_noticed(tmp_path):
    """Sealed groups were bound to their segment, and not to a place."""
    name, lines = "predictions-1-2-3.jsonl", msgspec.json.Encoder().encode_lines([label(0)])
    old = [
        b'{"kind":"sealed","records":1,"data":"%s"}\n' % base64.b64encode(Cipher(KEY).seal_bytes(lines, name))
        for _ in range(2)
    ]
    segment = tmp_path / name
    segment.write_bytes(b"".join(old) + old[0][:50])
    assert read(segment, KEY) == ["p0", "p0"]
    segment.write_bytes(b"".join([*old, old[0]]))
    with pytest.raises(SegmentError, match="it was moved, repeated or changed"):
        read(segment, KEY)


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
