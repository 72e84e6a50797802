"""Secrets come from a file, the environment or a Prefect block."""

import pytest

from configs.errors import InputError
from configs.secrets import secret


def test_a_file_comes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert secret("SLIPWAY_TEST") is None
    monkeypatch.setenv("SLIPWAY_TEST", "from the environment")
    assert secret("SLIPWAY_TEST") == "from the environment"
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("SLIPWAY_TEST_FILE", str(tmp_path / "secret"))
    assert secret("SLIPWAY_TEST") == "from a file"
    monkeypatch.setenv("SLIPWAY_TEST_FILE", str(tmp_path / "missing"))
    with pytest.raises(InputError, match=r"SLIPWAY_TEST_FILE=.*missing: cannot be read \(No such file or directory\)"):
        secret("SLIPWAY_TEST")
