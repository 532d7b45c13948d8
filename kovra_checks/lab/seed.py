"""The shop's data set: about 100,000 rows in 22 tables, the same in every lab, loaded by COPY in a second or two.

What the sample app uses (the other columns have defaults; `seed.sql` is the whole schema):

- `products(id bigint, name text, price_cents integer)`, 60 rows
- `orders(id bigint identity, reference text unique, product_id bigint null, customer_id bigint null, status,
  total_cents, placed_at, changed_at)`: the client chooses `reference`, so that a lost acknowledged order can be proven
- `order_items(order_id, line, product_id, quantity, unit_price, discount)`
- `customers(id, email, name, …)`
- `payments(id bigint identity, event jsonb, received_at)`
- `webhook_events(id bigserial, provider text, delivery uuid, payload json, received_at)`
- `oauth_logins(id bigserial, provider text, subject text, customer_id null, scopes text[], at)`
- `sessions(token uuid, customer_id null, data jsonb, expires_at)`
- `uploads(id identity, customer_id null, object_key text unique, size bigint, sha256 bytea, uploaded_at)`
- `job_runs(id bigserial, job text, ran_at)`
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["CRITICAL_QUERIES", "seed"]

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
CUSTOMERS, PRODUCTS, ORDERS = 6_000, 60, 26_000
STATUSES = ("new", "paid", "packed", "shipped", "shipped", "shipped", "returned")
FIRST_NAMES = (
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Eun-ji",
    "Fatima",
    "Guðrún",
    "Hiro",
    "Inês",
    "Jürgen",
    "Łucja",
    "Zoë",
)
LAST_NAMES = ("O'Hara", "Nguyễn", "Smith", "Müller", "García", "Kowalska", "Tanaka", "Öztürk", "Brown", "d'Arc")
GOODS = ("Teapot", "Lantern", "Blanket", "Compass", "Notebook", "Kettle", "Bookend", "Candle", "Basket", "Mug")
WOODS = ("Pine", "Tide", "Oak", "Birch", "Driftwood", "Cedar")
Row = Sequence[Any]

CRITICAL_QUERIES: Mapping[str, str] = {
    "revenue-by-year": (
        "SELECT extract(year FROM placed_at AT TIME ZONE 'UTC')::int AS year, count(*) AS orders, "
        "sum(total_cents) AS cents FROM orders WHERE placed_at < '2026-01-01Z' GROUP BY 1 ORDER BY 1"
    ),
    "catalogue-value": "SELECT count(*) AS products, sum(price_cents) AS cents, sum(weight) AS weight FROM products",
    "invoiced": "SELECT tax_rate, count(*) AS invoices, sum(gross) AS gross FROM invoices GROUP BY 1 ORDER BY 1",
}
"""Queries whose answers must not change by the move: name -> SELECT."""


def seed(url: str) -> dict[str, int]:
    """Make the schema, load the rows, set the sequences, and gather statistics. Returns rows by table.

    Args:
        url: Connection URL of the owner of an empty database.
    """
    loaded: dict[str, int] = {}
    with psycopg.connect(url) as connection:
        connection.execute(_script("seed.sql"))
        for table, columns, rows in _tables(random.Random(20_240_101)):
            loaded[table] = _copy(connection, table, columns, rows)
        for number in range(1, 4):
            connection.execute(
                "SELECT lo_from_bytea(%s, %s)", (900_000 + number, f"Contract {number}\n".encode() * 2000)
            )
        connection.execute(
            "INSERT INTO documents (title, content) SELECT 'Contract ' || n, 900000 + n FROM generate_series(1,3) n"
        )
        _advance_sequences(connection)
        _settings(connection)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_script("seed_after.sql"))
    return loaded


def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _settings(connection: psycopg.Connection[Any]) -> None:
    """Settings kept with the database: pg_dump leaves them out."""
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER DATABASE {} SET intervalstyle = 'iso_8601'").format(name))
    connection.execute(sql.SQL("ALTER DATABASE {} SET idle_in_transaction_session_timeout = '30s'").format(name))


def _copy(connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _advance_sequences(connection: psycopg.Connection[Any]) -> None:
    for table, column in (
        ("categories", "id"), ("products", "id"), ("customers", "id"), ("orders", "id"), ("payments", "id"),
        ("job_runs", "id"), ("webhook_events", "id"), ("oauth_logins", "id"),
    ):  # fmt: skip
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), max({})) FROM {}").format(
                sql.Literal(table), sql.Literal(column), sql.Identifier(column), sql.Identifier(table)
            )
        )
    connection.execute("SELECT setval('invoice_number', (SELECT max(number) FROM invoices))")


def _tables(dice: random.Random) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    """Table, columns, rows; parents before children."""
    yield "categories", ("id", "parent_id", "name"), ((n, n // 4 or None, f"Category {n}") for n in range(1, 25))
    yield (
        "products",
        ("id", "name", "price_cents", "category_id", "sku", "weight", "colours", "details", "thumbnail"),
        (_product(n, dice) for n in range(1, PRODUCTS + 1)),
    )
    yield (
        "customers",
        ("id", "email", "name", "home", "born", "tags", "preferences", "last_ip", "network", "rating", "created_at"),
        (_customer(n, dice) for n in range(1, CUSTOMERS + 1)),
    )
    yield (
        "orders",
        ("id", "reference", "product_id", "customer_id", "status", "total_cents", "placed_at", "changed_at"),
        (_order(n, dice) for n in range(1, ORDERS + 1)),
    )
    yield (
        "order_items",
        ("order_id", "line", "product_id", "quantity", "unit_price", "discount"),
        (item for n in range(1, ORDERS + 1) for item in _items(n, dice)),
    )
    yield from _events(dice)
    yield from _small(dice)


def _events(dice: random.Random) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    yield "payments", ("id", "event", "received_at"), ((n, _event(n, dice), _when(n, 3_000)) for n in range(1, 3001))
    yield (
        "invoices",
        ("number", "order_id", "net", "tax_rate", "due_in"),
        ((100_000 + 5 * n, n, f"{n % 900}.{n % 100:02}", dice.choice(("0.1900", "0.0700", "0.0000")),
          f"{n % 60} days {n % 5} hours")
         for n in range(1, 2001)),
    )  # fmt: skip
    yield "job_runs", ("id", "job", "ran_at"), ((n, "nightly", _when(n, 500)) for n in range(1, 501))
    yield (
        "sessions",
        ("token", "customer_id", "data", "expires_at"),
        ((_uuid(dice), dice.randint(1, CUSTOMERS), json.dumps({"cart": [n % 7], "csrf": None}), _when(n, 2_000))
         for n in range(1, 2001)),
    )  # fmt: skip
    yield (
        "uploads",
        ("customer_id", "object_key", "size", "sha256", "uploaded_at"),
        ((n, f"customers/{n}/photo-{n}.jpg", n * 1_000_003, hashlib.sha256(str(n).encode()).digest(), _when(n, 600))
         for n in range(1, 601)),
    )  # fmt: skip
    yield (
        "webhook_events",
        ("id", "provider", "delivery", "payload", "received_at"),
        ((n, "payments", _uuid(dice), _event(n, dice), _when(n, 1_500)) for n in range(1, 1501)),
    )
    yield (
        "oauth_logins",
        ("id", "provider", "subject", "customer_id", "scopes", "at"),
        ((n, "login", f"subject-{n % 700}", n, ["openid", "email"], _when(n, 1_000)) for n in range(1, 1001)),
    )


def _small(dice: random.Random) -> Iterator[tuple[str, Sequence[str], Iterable[Row]]]:
    yield (
        "reviews",
        ("product_id", "customer_id", "stars", "body", "flags"),
        ((dice.randint(1, PRODUCTS), dice.randint(1, CUSTOMERS), dice.randint(1, 5),
          dice.choice((None, "", "Fine\tand\\sturdy", "Ein schönes Stück\nGerne wieder", "物が良い")), f"{n % 16:04b}")
         for n in range(4_000)),
    )  # fmt: skip
    yield (
        "price_periods",
        ("product_id", "valid", "price_cents"),
        ((p, f"[{2018 + y}-01-01,{2019 + y}-01-01)", 100 * p + y) for p in range(1, PRODUCTS + 1) for y in range(8)),
    )
    yield (
        "stock_movements",
        ("product_id", "change", "reason", "at"),
        ((n % PRODUCTS + 1, n % 11 - 5, None if n % 9 else "count", _when(n // 2, 3_000).replace(tzinfo=None))
         for n in range(6_000)),
    )  # fmt: skip
    yield (
        "audit_log",
        ("at", "actor", "action", "detail"),
        ((_when(n, 5_000, days=800), f"staff-{n % 12}", "update", _event(n, dice)) for n in range(5_000)),
    )
    yield (
        "Gift Cards",
        ("Code", "Worth", "Valid until"),
        (
            (f"GIFT-{n:05}", f"{n % 100 + 5}.50", None if n % 5 else (BEGIN + timedelta(days=n)).date())
            for n in range(300)
        ),
    )
    yield (
        "reporting.targets",
        ("month", "revenue"),
        ((f"202{4 + n // 12}-{n % 12 + 1:02}-01", n * 999.5) for n in range(24)),
    )


def _product(number: int, dice: random.Random) -> Row:
    name = f"{WOODS[number % len(WOODS)]} {GOODS[number % len(GOODS)]} No. {number}"
    details = {"care": ["dry", "cool"], "origin": None, "size": {"w": number, "h": 1.50}, "rating": dice.random()}
    return (
        number, name, 500 + number * 37, number % 24 + 1, f"SKU{number:05}", f"{number / 7:.3f}",
        dice.sample(("red", "sea green", "blue,ish", 'so "white"'), 2), json.dumps(details), dice.randbytes(64),
    )  # fmt: skip


def _customer(number: int, dice: random.Random) -> Row:
    name = f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}"
    home = f'("{number} Harbour Street, 2nd floor",Seatown,{number:05},GB)' if number % 3 else None
    return (
        number, f"Customer{number}@Example.org", name, home, BEGIN.date() - timedelta(days=7000 + number),
        ["vip"] if number % 50 == 0 else [], json.dumps({"news": number % 2 == 0, "lang": "en"}),
        f"198.51.{number % 100}.{number % 250}", "203.0.113.0/24", dice.random(), _when(number, CUSTOMERS),
    )  # fmt: skip


def _order(number: int, dice: random.Random) -> Row:
    at = _when(number, ORDERS)
    return (
        number, f"SEED-{number:06}", number % PRODUCTS + 1, dice.randint(1, CUSTOMERS), dice.choice(STATUSES),
        dice.randint(500, 90_000), at, at,
    )  # fmt: skip


def _items(order: int, dice: random.Random) -> Iterator[Row]:
    for line in range(1, 2 + (order % 3 == 0) + (order % 5 == 0)):
        price = f"{dice.randint(1, 99)}.{dice.randint(0, 99):02}"
        yield order, line, dice.randint(1, PRODUCTS), dice.randint(1, 4), price, dice.choice((None, "0", "1.0", "1.00"))


def _event(number: int, dice: random.Random) -> str:
    return json.dumps({"id": f"evt_{number}", "amount": dice.randint(100, 9999), "currency": "EUR", "paid": True})


def _uuid(dice: random.Random) -> uuid.UUID:
    return uuid.UUID(int=dice.getrandbits(128), version=4)


def _when(number: int, of: int, *, days: int = 700) -> datetime:
    """Moments spread evenly over *days* from the beginning of 2024: all before 2026 unless *days* says otherwise."""
    return BEGIN + timedelta(seconds=number * days * 86_400 // of, microseconds=number * 7919 % 1_000_000)
