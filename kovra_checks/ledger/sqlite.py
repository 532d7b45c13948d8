"""The ledger in SQLite: WAL, synchronous FULL, append-only by trigger, each entry chained to the one before.

One file per migration. Several processes may read; one runner at a time writes, under a lease with a fencing token: a
runner that lost its lease (a laptop that slept) cannot write an intent any more, so it cannot begin an action.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kovra_checks.errors import LeaseHeld, LedgerError
from kovra_checks.outcome import canonical_json

__all__ = ["Entry", "Lease", "Ledger"]

GENESIS = "0" * 64
LEASE_SECONDS = 30.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS lease (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    token INTEGER NOT NULL,
    holder TEXT NOT NULL,
    expires REAL NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS entries_are_final BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `hash` covers everything else, `previous` included."""

    seq: int
    at: str
    run: str
    kind: str
    body: dict[str, Any]
    previous: str
    hash: str

    def computed_hash(self) -> str:
        """SHA-256 over the canonical form of all other fields."""
        told = [self.seq, self.at, self.run, self.kind, self.body, self.previous]
        return hashlib.sha256(canonical_json(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write, until it expires or is taken over. `token` grows with every holder (fencing)."""

    token: int


class Ledger:
    """One migration's ledger. Cheap to open in every process; safe to use from several threads."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open *path*, made if it is not there; with *read_only* only what is there is read.

        Raises:
            LedgerError: It is no ledger, is not there to be read, or cannot be written.
        """
        self.path = path
        self._lock = threading.Lock()
        try:
            if read_only:
                place = f"{path.absolute().as_uri()}?mode=ro"
                self._db = sqlite3.connect(place, timeout=15, isolation_level=None, check_same_thread=False, uri=True)
                self._db.execute("SELECT 1 FROM entries, lease LIMIT 1")
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._broken("open", error) from error

    def close(self) -> None:
        """Close the file. The lease is not released by this: see `release`."""
        with self._lock:
            self._db.close()

    def _broken(self, doing: str, error: sqlite3.Error | OSError) -> LedgerError:
        return LedgerError(
            f"{doing} the ledger {self.path}",
            seen=str(error),
            remedy="check that the file is a kovra-checks ledger, on a local disk with free space, writable by you",
        )

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    if self._db.in_transaction:  # a full disk ends the transaction by itself
                        self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._broken(doing, error) from error

    def append(self, kind: str, body: dict[str, Any], *, run: str, lease: Lease | None = None) -> Entry:
        """Write one entry; on return it is on disk.

        Raises:
            LeaseHeld: *lease* is given and another runner holds a newer one.
            LedgerError: The file cannot be written.
        """
        with self._transaction("write") as db:
            if lease is not None:
                self._check_token(db, lease)
            last = db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            plain = json.loads(canonical_json(body))
            unsealed = Entry(seq, at, run, kind, plain, previous, "")
            entry = Entry(seq, at, run, kind, plain, previous, unsealed.computed_hash())
            db.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
                (seq, at, run, kind, canonical_json(plain), previous, entry.hash),
            )
        return entry

    def entries(self, *kinds: str) -> list[Entry]:
        """All entries (of *kinds*), oldest first."""
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT seq, at, run, kind, body, previous, hash FROM entries ORDER BY seq"
                ).fetchall()
            except sqlite3.Error as error:
                raise self._broken("read", error) from error
        made = (Entry(r[0], r[1], r[2], r[3], self._body(r[0], r[4]), r[5], r[6]) for r in rows)
        return [entry for entry in made if not kinds or entry.kind in kinds]

    def _body(self, seq: int, text: str) -> dict[str, Any]:
        try:
            body: dict[str, Any] = json.loads(text)
        except ValueError:
            raise self._misfit(f"entry {seq} is not JSON") from None
        return body

    def _misfit(self, what: str) -> LedgerError:
        return LedgerError(
            f"verify the ledger {self.path}",
            seen=f"{what}: it was changed or cut",
            remedy="do not act on it; restore the file from a backup, or begin a new ledger and look again",
        )

    @property
    def head(self) -> str:
        """Hash of the newest entry: record it outside, and a shortened ledger can be told."""
        entries = self.entries()
        return entries[-1].hash if entries else GENESIS

    def verify(self) -> int:
        """Walk the chain; the number of entries. Raises LedgerError naming the first entry that does not fit."""
        previous, count = GENESIS, 0
        for entry in self.entries():
            count += 1
            if entry.seq != count or entry.previous != previous or entry.computed_hash() != entry.hash:
                raise self._misfit(f"entry {entry.seq} ({entry.kind}, {entry.at}) does not fit the chain")
            previous = entry.hash
        return count

    def acquire(self, run: str) -> Lease:
        """Take the lease. A holder whose process is gone (same host) or whose lease expired is taken over.

        Raises:
            LeaseHeld: Another runner is alive; the message names it.
        """
        holder = {"run": run, "host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat()}
        with self._transaction("lease") as db:
            row = db.execute("SELECT token, holder, expires FROM lease").fetchone()
            if row is not None and row[2] > time.time() and _alive(json.loads(row[1])):
                other = json.loads(row[1])
                raise LeaseHeld(
                    f"take the lease of {self.path}",
                    seen=f"run {other['run']} (pid {other['pid']} on {other['host']}, since {other['since']}) holds it",
                    remedy="wait for it to end, or stop it; a dead runner's lease ends by itself "
                    f"within {LEASE_SECONDS:.0f}s",
                )
            token = 1 if row is None else row[0] + 1
            db.execute(
                "INSERT INTO lease VALUES (1, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET "
                "token = excluded.token, holder = excluded.holder, expires = excluded.expires",
                (token, canonical_json(holder), time.time() + LEASE_SECONDS),
            )
        return Lease(token)

    def renew(self, lease: Lease) -> bool:
        """Heartbeat: extend *lease*. False when it was taken over."""
        with self._transaction("renew the lease of") as db:
            done = db.execute(
                "UPDATE lease SET expires = ? WHERE token = ?", (time.time() + LEASE_SECONDS, lease.token)
            )
            return done.rowcount == 1

    def release(self, lease: Lease) -> None:
        """Give the lease back; a no-op when it was taken over."""
        with self._transaction("release the lease of") as db:
            db.execute("UPDATE lease SET expires = 0 WHERE token = ?", (lease.token,))

    def holder(self) -> dict[str, Any] | None:
        """Who holds the lease now, or None."""
        with self._lock:
            try:
                row = self._db.execute("SELECT holder, expires FROM lease").fetchone()
            except sqlite3.Error as error:
                raise self._broken("read", error) from error
        if row is None or row[1] <= time.time():
            return None
        found: dict[str, Any] = json.loads(row[0])
        return found if _alive(found) else None

    @staticmethod
    def _check_token(db: sqlite3.Connection, lease: Lease) -> None:
        row = db.execute("SELECT token, holder FROM lease").fetchone()
        if row is None or row[0] != lease.token:
            seen = "nobody holds one" if row is None else f"run {json.loads(row[1])['run']} has taken it over"
            raise LeaseHeld(
                "write under the lease",
                seen=f"this run's lease (token {lease.token}) is no longer the newest: {seen}",
                remedy="look at `kovra-checks status` before anything else",
            )


def _alive(holder: dict[str, Any]) -> bool:
    """Whether the holder may still run: always assumed of another host."""
    if holder["host"] != socket.gethostname():
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
