"""The embedded PostgreSQL: its access, its ports, its accounts and the places it can run in."""

import os
import socket
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from hanhtrinh.embedded import (
    DataFolder,
    EmbeddedPostgres,
    FolderNotUsableError,
    ServerNotStartedError,
    ports,
)
from hanhtrinh.embedded import account as accounts
from hanhtrinh.embedded.ports import LOOPBACK

pytestmark = pytest.mark.integration
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL an account")


@pytest.fixture
def folder(tmp_path):
    with DataFolder.open(tmp_path) as opened:
        yield opened


def test_it_takes_the_password_of_its_folder_and_no_other(folder):
    with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.dsn) as connection:
            row = connection.execute("SHOW fsync").fetchone()
        wrong = server.dsn.replace(folder.secret("postgres"), "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    assert row == ("on",)


def test_it_listens_on_loopback_only_and_on_no_socket(folder):
    with EmbeddedPostgres(folder) as server, psycopg.connect(server.dsn) as connection:
        shown = [
            connection.execute(query).fetchone()
            for query in ("SHOW listen_addresses", "SHOW unix_socket_directories")
        ]
    assert shown == [("127.0.0.1",), ("",)]


def test_a_port_that_is_taken_meanwhile_is_replaced_by_another(folder, monkeypatch):
    with socket.create_server((LOOPBACK, 0)) as taken:
        taken_port = taken.getsockname()[1]
        picked = iter([taken_port, ports.free_port()])
        monkeypatch.setattr(ports, "free_port", lambda: next(picked))
        with EmbeddedPostgres(folder) as server:
            assert server.port != taken_port
            psycopg.connect(server.dsn).close()


def test_it_comes_back_on_the_same_port_with_what_was_committed(folder):
    with EmbeddedPostgres(folder) as server:
        port = server.port
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.kill()
        assert not server.is_running
        server.restart()
        assert server.port == port
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_setting_it_does_not_know_is_reported_with_its_log(folder):
    with pytest.raises(ServerNotStartedError, match="no_such_setting"):
        EmbeddedPostgres(folder, {"no_such_setting": "1"})


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FolderNotUsableError, match="data_folder: expected a folder"):
        DataFolder.open(file / "inside")


def test_secrets_are_for_their_owner_only(folder):
    folder.secret("postgres")
    secret = folder.path / "secrets" / "postgres"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert folder.secret("postgres") == secret.read_text()


@as_root
def test_root_runs_it_as_another_account_in_a_folder_only_root_can_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with DataFolder.open(closed / "data") as folder, EmbeddedPostgres(folder) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert server.cluster.stat().st_uid != 0
        psycopg.connect(server.dsn).close()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_programs_that_the_account_cannot_reach_are_copied_once_and_run(
    folder, tmp_path, monkeypatch
):
    spec = find_spec(accounts.PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for installed in package.parent.glob(f"{accounts.PACKAGE}*"):
        (closed / installed.name).symlink_to(installed)
    # /var/cache can be reached by everybody; what the test leaves there is taken away again.
    with tempfile.TemporaryDirectory(dir="/var/cache", prefix="hanhtrinh-test-") as cache:
        Path(cache).chmod(0o755)
        monkeypatch.setattr(accounts, "SYSTEM_CACHE", Path(cache))
        spec.submodule_search_locations[:] = [str(closed / accounts.PACKAGE)]
        monkeypatch.setattr(accounts, "find_spec", lambda _name: spec)
        for _ in range(2):
            with EmbeddedPostgres(folder) as server:
                program = Path(f"/proc/{server.pid}/exe").readlink()
                psycopg.connect(server.dsn).close()
        (copy,) = Path(cache).iterdir()
    assert program.is_relative_to(copy)


@as_root
def test_a_copy_that_somebody_else_prepared_is_not_run(tmp_path):
    prepared = tmp_path / "postgres-test"
    prepared.mkdir(mode=0o755)
    os.chown(prepared, 65_534, -1)
    assert accounts.copy_programs(tmp_path, prepared) is None
