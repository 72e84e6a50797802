import json
import time

import pytest

from configs.errors import InputError
from serving.refusal import Refusal
from serving.security.keys import Guard, KeysError, new_key, read_keys
from tasks.deploying.keys import create_key, internal_headers, keys_folder, list_keys, revoke_key


def guard(use_case="small", workers=1):
    return Guard(keys_folder(use_case) / "keys.json", workers)


def refused(guard, text, role="predict"):
    with pytest.raises(Refusal) as caught:
        guard.admit(text, role)
    return caught.value


def test_the_file_holds_no_secret(home):
    text = create_key("small", "checkout", ("predict",))
    stored = (keys_folder("small") / "keys.json").read_text()
    secret = text.split("_", 2)[2]
    assert secret not in stored
    assert secret not in (home / "use_cases" / "small" / "history.jsonl").read_text()


def test_roles(home):
    predict, admin = create_key("small", "a", ("predict",)), create_key("small", "b", ("admin",))
    assert guard().admit(f"Bearer {predict}", "predict") == "a"
    assert guard().admit(f"bearer {admin}", "feedback") == "b"
    refusal = refused(guard(), f"Bearer {predict}", "feedback")
    assert (refusal.status, "has not the role 'feedback'" in refusal.problem) == (403, True)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer nonsense", "Basic {}", "Bearer {}x", "{}", "Bearer slipway__", "Bearer \u00e9"]
)
def test_what_is_no_key_is_refused(home, header):
    text = create_key("small", "a", ("predict",))
    assert refused(guard(), header and header.format(text)).status == 401


def test_a_revoked_key_is_refused_without_a_restart(home):
    text = create_key("small", "a", ("predict",))
    here = guard()
    here.admit(f"Bearer {text}", "predict")
    revoke_key("small", "a")
    here.tick()
    assert refused(here, f"Bearer {text}").status == 401
    assert [key.revoked is not None for key in list_keys("small")] == [True]
    with pytest.raises(InputError, match="has no key 'a' in use; in use: none"):
        revoke_key("small", "a")


def test_a_name_is_taken_once(home):
    create_key("small", "a", ("predict",))
    with pytest.raises(InputError, match="has a key 'a'"):
        create_key("small", "a", ("predict",))


def test_a_rate_is_kept_and_shared_by_the_workers(home, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    text = create_key("small", "a", ("predict",), rate=10)
    here = guard(workers=2)
    for _ in range(5):
        here.admit(f"Bearer {text}", "predict")
    refusal = refused(here, f"Bearer {text}")
    assert (refusal.status, refusal.retry_after) == (429, 1)
    now[0] += 0.2
    here.admit(f"Bearer {text}", "predict")
    assert refused(here, f"Bearer {text}").status == 429


def test_a_broken_file_is_told_and_the_keys_from_before_stay(home):
    text = create_key("small", "a", ("predict",))
    here = guard()
    (keys_folder("small") / "keys.json").write_text("{")
    with pytest.raises(KeysError, match=r"keys\.json"):
        here.tick()
    here.admit(f"Bearer {text}", "predict")
    with pytest.raises(InputError, match=r"keys\.json"):
        list_keys("small")


def test_slipway_s_own_key_is_made_once_and_again_when_revoked(home):
    first = internal_headers("small", "replay")
    assert internal_headers("small", "replay") == first
    revoke_key("small", "slipway")
    second = internal_headers("small", "replay")
    assert second != first
    assert guard().admit(second["authorization"], "admin") == "slipway"
    assert (home / "use_cases" / "small" / "internal.key").stat().st_mode & 0o077 == 0


def test_a_key_reads_back(tmp_path):
    key, text = new_key("x", ("predict",), "2026-01-01T00:00:00Z")
    assert text.count("_") >= 2
    assert key.id in text
    (tmp_path / "keys.json").write_text(json.dumps({"keys": []}))
    assert read_keys(tmp_path / "keys.json") == []
