"""Sources that are not on this disk: a PostgreSQL server and an object storage, both real programs on this machine."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from configs.errors import InputError
from configs.schema import Source
from tasks.data.database import read_database
from tasks.data.files import NOTHING
from tasks.data.source import open_source
from tasks.deploying.platforms.ports import free_port

PASSWORD = "p@ss/word: %41"
ROWS = """
create table sales (id bigint, price numeric(10, 2), sold timestamptz, paid boolean, kind text, weight real);
insert into sales values
  (9007199254740993, 12.30, '2024-03-01 12:00+02', true, '007', 0.5),
  (2, null, null, null, null, 'NaN'),
  (3, -0.01, '2024-03-02 00:00+00', false, 'Ä "b" %', 1);
create role reader login password 'PASSWORD';
grant select on sales to reader;
"""


@pytest.fixture(scope="module")
def postgres():
    """A server of its own, with the table `sales`; gives its port."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    folder, port = Path(tempfile.mkdtemp()), free_port()
    user = {}
    if os.getuid() == 0:  # it refuses to run as root
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid}
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder, **user}
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    subprocess.run(
        [f"{programs[-1]}/initdb", "-D", data, "-U", "owner", f"--pwfile={secret}", "-A", "scram-sha-256", "--no-sync"],
        **run,
    )
    options = f"-p {port} -c unix_socket_directories= -c fsync=off -c listen_addresses=127.0.0.1"
    control = [f"{programs[-1]}/pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        with owner(port).begin() as connection:
            for statement in ROWS.replace("PASSWORD", PASSWORD).split(";")[:-1]:
                connection.exec_driver_sql(statement.replace("%", "%%"))
        yield port
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)
        shutil.rmtree(folder)


def owner(port):
    return sa.create_engine(sa.URL.create("postgresql+psycopg", "owner", PASSWORD, "127.0.0.1", port, "postgres"))


def url(port):
    """As people write it: the password by its name."""
    return f"postgresql://reader:${{SLIPWAY_SALES_PASSWORD}}@127.0.0.1:{port}/postgres"


@pytest.fixture
def password(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    monkeypatch.setenv("SLIPWAY_SALES_PASSWORD_FILE", str(tmp_path / "secret"))


def test_rows_of_postgresql_are_what_they_are_there(postgres, password):
    source = Source(
        database=url(postgres),
        query="select * from sales where kind not in (' :x', '%s') or kind is null order by sold nulls last",
    )
    rows = open_source("sales", source).to_arrow_table().to_pylist()
    assert [row["id"] for row in rows] == [9007199254740993, 3, 2]
    assert [float(row["price"]) if row["price"] is not None else None for row in rows] == [12.3, -0.01, None]
    assert str(rows[0]["sold"]).startswith("2024-03-01 10:00:00")
    assert [row["paid"] for row in rows] == [True, False, None]
    assert [row["kind"] for row in rows] == ["007", 'Ä "b" %', None]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select * from sold", 'relation "sold" does not exist'),
        ("delete from sales", "denied"),
    ],
)
def test_what_a_database_refuses_is_one_line(postgres, password, query, told):
    with pytest.raises(InputError, match=r"source\.database") as caught:
        read_database(url(postgres), query, NOTHING)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_told_and_not_shown(postgres, monkeypatch):
    monkeypatch.setenv("SLIPWAY_SALES_PASSWORD", "canary-wrong")
    with pytest.raises(InputError, match="password authentication failed") as caught:
        read_database(url(postgres), "select 1", NOTHING)
    assert "canary" not in str(caught.value)
    monkeypatch.delenv("SLIPWAY_SALES_PASSWORD")
    with pytest.raises(InputError, match=r"\$\{SLIPWAY_SALES_PASSWORD\} is not set; set the variable"):
        read_database(url(postgres), "select 1", NOTHING)


def test_a_database_that_stops_in_the_middle_is_told(postgres, password):
    def end():
        kill = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader' and query ~ 'pg_sleep'"
        deadline = time.monotonic() + 20
        # Each look is a transaction of its own: within one, PostgreSQL shows the activity of its first look.
        with owner(postgres).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            while time.monotonic() < deadline and not connection.execute(sa.text(kill)).fetchall():
                time.sleep(0.05)

    killer = threading.Thread(target=end)
    killer.start()
    with pytest.raises(InputError, match=r"source\.database: .*terminat"):
        read_database(url(postgres), "select id, pg_sleep(5) from sales", NOTHING)
    killer.join()


@pytest.fixture
def storage(objects):
    """An object storage with one bucket, `rows`; gives a function that puts a file there."""
    objects.create_bucket(Bucket="rows")
    return lambda key, body: objects.put_object(Bucket="rows", Key=key, Body=body)


def test_files_and_growing_folders_of_an_object_storage(storage, monkeypatch):
    def read(location):
        return open_source("sales", Source(tables={"rows": location})).to_df()

    one = pd.DataFrame({"a": [1, 2], "b": ["x", "007"]})
    storage("one.csv", one.to_csv(index=False))
    assert read("s3://rows/one.csv")["a"].tolist() == [1, 2]
    for day in (1, 2):
        storage(f"days/day={day}/part.parquet", one.assign(a=day).to_parquet(index=False))
        assert read("s3://rows/days")["a"].tolist() == [each for each in range(1, day + 1) for _ in range(2)]
    monkeypatch.setenv("SLIPWAY_TEST_FOLDER", "days/day=1")
    assert read("s3://rows/${SLIPWAY_TEST_FOLDER}/part.parquet")["a"].tolist() == [1, 1]
    monkeypatch.setenv("SLIPWAY_TEST_TOKEN", "canary-token")
    with pytest.raises(InputError, match=r"\$\{SLIPWAY_TEST_TOKEN\}") as told:
        read("s3://rows/${SLIPWAY_TEST_TOKEN}.csv")
    assert "canary" not in str(told.value)
    for gone in ("s3://rows/gone.csv", "s3://nowhere/one.csv"):
        with pytest.raises(InputError, match=r"source\.tables\.rows: cannot read"):
            read(gone)
