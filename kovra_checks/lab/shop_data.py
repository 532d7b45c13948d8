"""The shop's data: its connection pool and its few statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

__all__ = ["Deferred", "ShopData"]

T = TypeVar("T")
Row = dict[str, Any]
Session = psycopg.Connection[Row]
PATIENCE = 3.0  # seconds to wait for a connection
SESSIONS = 8


class Deferred(psycopg.OperationalError):
    """The database takes no writes now; the same write may succeed in a moment."""


class ShopData:
    """Reads and writes of the shop.

    Every statement is a transaction of its own (autocommit), so what was answered is committed; and every write may be
    repeated, so an interrupted one is tried again.

    Args:
        url: Connection URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: ConnectionPool[Session] | None = None

    def start(self) -> None:
        """Open the pool in the background; the database may come later."""
        if self._pool is None and self._url:
            self._pool = ConnectionPool(
                make_conninfo(self._url, application_name="shop", connect_timeout=3),
                connection_class=Session,
                kwargs={"autocommit": True, "row_factory": dict_row},
                min_size=1,
                max_size=SESSIONS,
                timeout=PATIENCE,
                open=False,
            )
            self._pool.open()

    def stop(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def ping(self) -> None:
        """Raises psycopg.Error unless the database answers."""
        self._rows("SELECT 1 AS one")

    def products(self) -> list[Row]:
        """All products by id."""
        return self._rows("SELECT id, name, price_cents FROM products ORDER BY id")

    def order(self, number: int) -> Row | None:
        """One order, or None."""
        rows = self._rows("SELECT id, reference, status FROM orders WHERE id = %s", (number,))
        return rows[0] if rows else None

    def place_order(self, reference: str, product: Any) -> int:
        """Store an order and return its id; a known reference returns the id it has. Raises Deferred."""
        sql = (
            "INSERT INTO orders (reference, product_id) VALUES (%s, %s) "
            "ON CONFLICT (reference) DO UPDATE SET reference = excluded.reference RETURNING id"
        )
        return int(self._write(sql, (reference, product))[0]["id"])

    def record_payment(self, event: Mapping[str, Any]) -> None:
        """Store what the payment provider told. Raises Deferred."""
        self._write("INSERT INTO payments (event) VALUES (%s) RETURNING id", (json.dumps(event),))

    def record_job(self, name: str) -> None:
        """Store that job *name* ran. Raises Deferred."""
        self._write("INSERT INTO job_runs (job) VALUES (%s) RETURNING id", (name,))

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._insisting(lambda session: session.execute(sql, values).fetchall())

    def _write(self, sql: str, values: Sequence[Any]) -> list[Row]:
        try:
            return self._insisting(lambda session: session.execute(sql, values).fetchall())
        except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege, psycopg.OperationalError) as error:
            raise Deferred from error

    def _insisting(self, work: Callable[[Session], T]) -> T:
        """Do *work*, and again when its session was ended under it: at worst until every old session has been met.

        The other sessions are being ended as well, also those that are in use now and come back to the pool in a
        moment. Idle ones are checked each time: the pool's own check at each use would wait a second before it tries
        again.
        """
        if self._pool is None:
            raise psycopg.OperationalError("no DATABASE_URL")
        for _ in range(SESSIONS):
            try:
                with self._pool.connection() as session:
                    return work(session)
            except (PoolTimeout, PoolClosed, errors.QueryCanceled):
                raise
            except psycopg.OperationalError:
                self._pool.check()
        with self._pool.connection() as session:
            return work(session)
