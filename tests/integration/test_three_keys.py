"""A use case of three keys, released for real: what was inferred serves, is retrained over new rows, and stays."""

from configs.inferred import inferred_file
from tests.conftest import small_frame
from tests.integration.conftest import Home


def test_three_keys_are_released_watched_and_retrained_as_they_were_inferred(tmp_path, monkeypatch):
    home = Home(tmp_path / "home", SLIPWAY_USE_CASES=str(tmp_path))
    monkeypatch.setenv("SLIPWAY_HOME", str(home.folder))
    table = tmp_path / "rows.csv"
    small_frame().assign(gender="f").to_csv(table, index=False)
    (tmp_path / "new.yaml").write_text("name: new\nsource: rows.csv\ntarget: y\n")
    try:
        assert "'slipway release new' takes it" in home.run("deploy", "new", status=2)
        told = home.run("release", "new")
        assert "Inferred where nothing is declared: problem binary, 1 categorical, 2 numeric features" in told
        assert "new version 1 serves" in told
        kept = inferred_file("new").read_bytes()
        assert "600 rows scored" in home.run("score", "new", str(table), str(tmp_path / "answers"))
        assert "No closed window" in home.run("monitor", "new")

        small_frame(1800, seed=2).assign(gender="m", c=1, late="x").to_csv(table, index=False)  # texts have become numbers
        told = home.run("retrain", "new")
        assert "column 'late' is new since the columns of new were inferred" in told
        assert "numeric:\n    - a" in home.run("check", "new")

        small_frame().drop(columns="b").to_csv(table, index=False)
        told = home.run("retrain", "new", status=2)
        assert "error: use case 'new': features: the source has no column 'b'" in told
        assert "'b' was inferred from the table as it was: declare what it is now" in told
        assert inferred_file("new").read_bytes() == kept
        assert "API: http://127.0.0.1:" in home.run("deploy", "new"), "what was released serves on"
    finally:
        home.run("down")
