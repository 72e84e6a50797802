"""A work pool is one home's: no worker takes the runs of another home, whatever port it finds there."""

import shutil

from configs.settings import pool


def test_a_pool_belongs_to_one_home_also_when_it_is_copied_or_made_again(home, tmp_path, monkeypatch):
    first = pool()
    assert pool() == first
    shutil.copytree(home, tmp_path / "copy")
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "copy"))
    copied = pool()
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    shutil.rmtree(home)
    assert len({first, copied, pool()}) == 3
