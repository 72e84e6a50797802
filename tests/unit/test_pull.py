"""What functions left in a bucket comes home: once for every reader, checked, and gone there."""

import base64

import pytest
from typer.testing import CliRunner

from configs.errors import InputError
from console.cli import app
from serving.log.objects import ObjectLog
from serving.log.s3 import Bucket
from serving.log.writer import Feedback, PredictionLog
from tasks.log.pull import pull
from tasks.log.read import open_log
from tests.conftest import small_use_case

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def case(home, tmp_path, objects):
    objects.create_bucket(Bucket="logs")
    return small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": FEATURES})


FEATURES = "{numeric: [a, b], categorical: [c]}\nlog: {bucket: s3://logs/small}"


def left(count, first=0, key=None):
    log = ObjectLog(Bucket("s3://logs/small"), key)
    for number in range(first, first + count):
        log.append([Feedback(f"{number}-{part}", "2026-01-01T00:00:00Z", "yes", "") for part in range(2)])


def there(objects):
    return [each["Key"] for each in objects.list_objects_v2(Bucket="logs").get("Contents", [])]


def ids():
    with open_log("small") as log:
        return sorted(name for (name,) in log.execute("select prediction_id from log").fetchall())


def test_it_comes_home_into_few_files_and_is_gone_there(case, objects, monkeypatch):
    monkeypatch.setattr("tasks.log.pull.AT_ONCE", 3)
    left(7)
    done = pull(case)
    assert (done.objects, done.records, done.damaged) == (7, 14, ())
    assert ids() == sorted(f"{number}-{part}" for number in range(7) for part in range(2))
    assert there(objects) == []
    assert pull(case).objects == 0


def test_sealed_objects_are_sealed_at_home(case, objects, monkeypatch):
    monkeypatch.setenv("SLIPWAY_LOG_KEY", KEY)
    left(2, key=base64.b64decode(KEY))
    assert pull(case).records == 4
    left(1, first=5)
    (damaged,) = pull(case).damaged
    assert "it is not sealed, and the log is encrypted" in damaged
    assert ids() == ["0-0", "0-1", "1-0", "1-1"]
    assert len(there(objects)) == 1, "it is left where it lies"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.replace(b"yes", b"no!"), "wrong checksum"),
        (lambda content: content[:-20], "of its"),
        (lambda content: b"nothing of ours\n", "neither finished nor torn by a crash"),
    ],
)
def test_what_was_changed_is_told_and_left_alone(case, objects, change, told):
    left(2)
    name = there(objects)[0]
    content = objects.get_object(Bucket="logs", Key=name)["Body"].read()
    objects.put_object(Bucket="logs", Key=name, Body=change(content))
    done = pull(case)
    assert (done.objects, done.records) == (1, 2)
    assert told in done.damaged[0]
    assert there(objects) == [name]


def test_killed_before_it_was_deleted_it_comes_again_and_nothing_is_lost(case, objects, monkeypatch):
    left(3)
    with monkeypatch.context() as patch:
        patch.setattr(PredictionLog, "sync", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(case)
    assert len(there(objects)) == 3
    pull(case)
    assert set(ids()) == {f"{number}-{part}" for number in range(3) for part in range(2)}


def test_what_could_not_be_deleted_is_told(case, objects, monkeypatch):
    left(2)
    monkeypatch.setattr("s3fs.S3FileSystem.rm", lambda *_: None)  # as where only single objects are refused
    with pytest.raises(InputError, match=r"2 objects that came home could not be deleted there, .* \(s3:DeleteObject\)"):
        pull(case)
    assert len(ids()) == 4


def killed(_):
    raise KeyboardInterrupt


def test_without_a_bucket_nothing_is_made(home):
    told = CliRunner().invoke(app, ["log", "pull", "loans"])
    assert isinstance(told.exception, InputError)
    assert not home.exists()


def test_bad_input_is_one_line(case, tmp_path):
    with pytest.raises(
        InputError, match=r"'small' names no bucket to pull from; write 'log: \{bucket: s3://BUCKET/PREFIX\}'"
    ):
        pull(small_use_case(tmp_path))
    gone = case.model_copy(update={"log": case.log.model_copy(update={"bucket": "s3://nowhere/small"})})
    with pytest.raises(InputError, match=r"log\.bucket s3://nowhere/small: "):
        pull(gone)
    with pytest.raises(InputError, match=r"log\.bucket"):
        small_use_case(tmp_path, **{"{numeric: [a, b], categorical: [c]}": FEATURES.replace("s3://", "/")})
