"""The lab's PostgreSQL servers and the data they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from fix_lab import fresh_block
from fix_postgres import Servers

from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.account import Account, reachable, runnable
from kovra_checks.lab.outside import PLACE, make_outside, sweep
from kovra_checks.lab.postgres import PgServer, stop_stale

DIGEST = (
    "SELECT md5(string_agg(md5(o::text), '' ORDER BY o.id)) FROM orders o UNION ALL "
    "SELECT md5(string_agg(md5(c::text), '' ORDER BY c.id)) FROM customers c"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PgServer]:
    """A server that is not started yet, in a folder that another account cannot enter."""
    block = fresh_block()
    made = PgServer(tmp_path / "server", block.source_postgres, block.postgres_port)
    yield made
    made.remove()


def test_server_keeps_its_data_over_a_restart(server: PgServer) -> None:
    """Stopping is idempotent; a second start finds the same password, roles and rows."""
    server.stop()
    server.start()
    server.create_role_and_database("shop", "pass/word", "shop")
    with psycopg.connect(server.url("shop", "pass/word")) as session:
        session.execute("CREATE TABLE kept (v integer)")
    server.stop()
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        server.admin()
    again = PgServer(server.directory, server.address, server.port)
    again.start()
    assert again.database == "shop"
    with again.admin() as session:
        assert session.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    again.stop()


def test_server_of_a_dead_lab_is_stopped_by_its_folder(server: PgServer) -> None:
    """A server left running is found by its pid file and ended; without one there is nothing to do."""
    assert not stop_stale(server.directory)
    server.start()
    assert stop_stale(server.directory)
    assert not stop_stale(server.directory)


def test_stale_pid_file_of_another_process_is_left_alone(server: PgServer) -> None:
    """A pid that belongs to somebody else by now is not signalled."""
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert not stop_stale(server.directory)


def test_server_says_why_it_does_not_start(server: PgServer) -> None:
    """A port in use is reported with the end of the server's log."""
    server.start()
    other = PgServer(server.directory.parent / "other", server.address, server.port)
    try:
        with pytest.raises(CouldNotLook, match="Address already in use"):
            other.start()
    finally:
        other.remove()


def test_removing_leaves_nothing(server: PgServer) -> None:
    """Data that lies elsewhere goes too."""
    server.start()
    data = server.data
    server.remove()
    assert not data.exists()
    assert not server.directory.exists()


def test_data_of_labs_that_are_gone_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data outside a lab's folder goes once that folder is gone, but not while it may still be in the making."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours = Account(os.geteuid(), os.getegid(), switched=False)
    homes = [make_outside(tmp_path / f"lab-{number}", ours) for number in range(3)]
    (tmp_path / "lab-0").mkdir()
    (tmp_path / "lab-0" / PLACE).write_text(json.dumps({"data": str(homes[0] / "data")}))
    for home in homes[:2]:
        os.utime(home / "belongs-to", (0, 0))
    sweep()
    assert [home.exists() for home in homes] == [True, False, True]


def test_target_refuses_connections_without_tls(postgres_servers: Servers) -> None:
    """With a certificate, only encrypted connections come in."""
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(postgres_servers.target.url(sslmode="disable"))
    with psycopg.connect(postgres_servers.target.url()) as session:
        assert session.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def test_password_is_asked_for(postgres_servers: Servers) -> None:
    """No connection comes in on trust."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_servers.source.url("postgres", "wrong"))


def test_seeded_data_is_the_same_in_every_lab(postgres_servers: Servers) -> None:
    """The shop is generated from a fixed seed: two labs hold the same rows."""
    with postgres_servers.source.admin("seeded") as session:
        session.execute("SET timezone = 'UTC'")
        assert session.execute(DIGEST).fetchall() == [
            ("f213be398ffe2eb4efe97fe94589a811",),
            ("853f6639a8bfffbccb93186225ffd245",),
        ]


def test_seeded_shop_has_what_the_app_uses(postgres_servers: Servers) -> None:
    """An order needs a reference alone, and the first order exists."""
    with postgres_servers.source.admin("seeded") as session:
        assert session.execute("SELECT reference FROM orders WHERE id = 1").fetchone() == ("SEED-000001",)
        kinds = session.execute(
            "SELECT count(*), count(DISTINCT relkind) FROM pg_class WHERE relkind IN ('r','p','v','m')"
        )
        assert kinds.fetchone()[1] == 4  # type: ignore[index]


def test_programs_are_copied_to_where_another_account_can_run_them(tmp_path: Path) -> None:
    """An installation under a private folder is copied once; a reachable one is used as it is."""
    installation = tmp_path / "installation"
    (installation / "bin").mkdir(parents=True)
    (installation / "bin" / "postgres").write_text(f"#!/bin/sh\n# {tmp_path}\n")
    tmp_path.chmod(0o700)
    other = Account(uid=65_534, gid=65_534, switched=True)
    copied = runnable(installation / "bin", other)
    assert copied != installation / "bin"
    assert (copied / "postgres").read_text() == (installation / "bin" / "postgres").read_text()
    assert runnable(installation / "bin", other) == copied
    assert reachable(copied, other)
    ours = Account(os.geteuid(), os.getegid(), switched=False)
    assert runnable(installation / "bin", ours) == installation / "bin"
