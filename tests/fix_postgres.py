"""Two PostgreSQL servers for all tests of a worker, and fresh databases on them for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fix_lab import fresh_block
from fix_platforms import Platforms
from psycopg import sql

from kovra_checks.access import Access
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.postgres import PgServer
from kovra_checks.lab.seed import CRITICAL_QUERIES, seed

SOURCE_PASSWORD = "canary-source-password"
TARGET_PASSWORD = "canary:target\\password"
NUMBERS = itertools.count(1)


@dataclass
class Pair:
    """A source database and an empty target database with everything to reach them.

    Attributes:
        platforms: The control APIs; its ledger holds what the test recorded.
        source: The source's server; `admin()` leads to this test's database.
        target: The target's server, with TLS.
        source_url: The source owner's URL.
        target_url: The target owner's URL.
    """

    platforms: Platforms
    source: PgServer
    target: PgServer
    source_url: str
    target_url: str

    def access(self, *, policy: dict[str, Any] | None = None, **database: Any) -> Access:
        """An Access of its own; *policy* and *database* change the configuration."""
        folder = self.platforms.directory
        (folder / "source-url").write_text(self.source_url)
        (folder / "target-url").write_text(self.target_url)
        entry = {"name": "main", "source_url": "file:source-url", "target_url": "file:target-url", "version": "17",
                 "write_strategy": "freeze", "critical_queries": dict(CRITICAL_QUERIES), **database}  # fmt: skip
        chosen = {"probe_timeout": "5s", "action_deadline": "30s", "quiet_interval": "50ms", **(policy or {})}
        return self.platforms.access(self.platforms.migration(databases=[entry], policy=chosen))

    def on(self, side: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as superuser, past any fence; returns the last one's rows."""
        server = self.source if side == "source" else self.target
        rows: list[tuple[Any, ...]] = []
        with server.admin() as session:
            session.execute("SET default_transaction_read_only = off")
            for statement in statements:
                cursor = session.execute(statement)
                rows = cursor.fetchall() if cursor.description is not None else []
        return rows


@dataclass(frozen=True)
class Servers:
    """The two servers of a worker; the source has the seeded template `seeded`."""

    source: PgServer
    target: PgServer


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once per worker; the shop's data is loaded once and copied for each test."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    block = fresh_block()
    certificate = LabCA(folder / "ca").issue([block.target_postgres])
    source = PgServer(folder / "source", block.source_postgres, block.postgres_port)
    target = PgServer(folder / "target", block.target_postgres, block.postgres_port, certificate=certificate)
    try:
        source.start()
        target.start()
        source.create_role_and_database("shop", SOURCE_PASSWORD, "seeded")
        seed(source.url("shop", SOURCE_PASSWORD, "seeded"))
        with target.admin("postgres") as session:
            session.execute(sql.SQL("CREATE ROLE shop_target LOGIN PASSWORD {}").format(sql.Literal(TARGET_PASSWORD)))
        yield Servers(source, target)
    finally:
        source.remove()
        target.remove()


@pytest.fixture
def pair_of(postgres_servers: Servers, platforms: Platforms) -> Iterator[Callable[[str], Pair]]:
    """Makes a pair whose source is a copy of the template named; dropped afterwards."""
    servers = postgres_servers
    made: list[str] = []

    def make(template: str) -> Pair:
        name = f"test_{next(NUMBERS)}"
        made.append(name)
        _create(servers.source, name, "shop", template)
        _create(servers.target, name, "shop_target", "template1")
        if template == "seeded":
            _carry_settings(servers.source, name)
        return Pair(
            platforms, servers.source, servers.target,
            servers.source.url("shop", SOURCE_PASSWORD, name), servers.target.url("shop_target", TARGET_PASSWORD, name),
        )  # fmt: skip

    yield make
    for server in (servers.source, servers.target):
        for name in made:
            with server.admin("postgres") as session:
                session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def shop_pair(pair_of: Callable[[str], Pair]) -> Pair:
    """The whole shop at the source, nothing on the target."""
    return pair_of("seeded")


@pytest.fixture
def small_pair(pair_of: Callable[[str], Pair]) -> Pair:
    """Two small tables at the source, nothing on the target."""
    pair = pair_of("template1")
    with psycopg.connect(pair.source_url) as session:
        session.execute(
            "CREATE TABLE parts (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL)"
        )
        session.execute("INSERT INTO parts (name) SELECT 'part ' || n FROM generate_series(1, 10) n")
        session.execute('CREATE TABLE "Odd Name" (v integer)')
    return pair


def _create(server: PgServer, name: str, owner: str, template: str) -> None:
    with server.admin("postgres") as session:
        session.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*map(sql.Identifier, (name, owner, template)))
        )
    server.database = name


def _carry_settings(server: PgServer, name: str) -> None:
    """Settings kept with a template are not copied with it."""
    with server.admin("postgres") as session:
        session.execute(sql.SQL("ALTER DATABASE {} SET intervalstyle = 'iso_8601'").format(sql.Identifier(name)))
        session.execute(
            sql.SQL("ALTER DATABASE {} SET idle_in_transaction_session_timeout = '500ms'").format(sql.Identifier(name))
        )
