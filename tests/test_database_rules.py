"""Rules of the database family as tables: what passes, and the message of each finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import (
    ArchiveState,
    Backups,
    Catalog,
    Counters,
    CriticalAnswer,
    Extension,
    Fence,
    LargeObjects,
    Position,
    RowCounts,
    SequencePositions,
    Server,
    SessionInfo,
    Statistics,
    TableStatistics,
)
from kovra_checks.outcome import Finding, as_json
from kovra_checks.rules import database, fence, rows, schema, sequences

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NONE = AppliedAction(applied=False)
ORDERS = RowCounts({"public.orders": 10, "public.parts": 0})
AT_11 = SequencePositions({"public.orders_id_seq": Position(10, is_called=True, increment=1)})
ANSWER = CriticalAnswer(("n",), 1, "d" * 64, (("10",),))
BLOBS = LargeObjects(2, "b" * 64)
STILL = Counters(5, 5, 5, 100, "0/1")
CALM = Fence("on", (), fresh_read_only=True, sessions=(), before=STILL, after=replace(STILL, commits=120), interval=0.3)
SERVER = Server(
    170010, "UTF8", "en_US.UTF-8", "C", {"TimeZone": "UTC", "search_path": '"$user", public'}, {}, (),
    tls=True, size_bytes=1,
)  # fmt: skip


def copied(**changes: Any) -> AppliedAction:
    """The record of a copy of ORDERS, as the ledger tells it."""
    facts = {
        "counts": dict(ORDERS.tables), "sequences": {n: as_json(p) for n, p in AT_11.sequences.items()},
        "queries": {"total": as_json(ANSWER)}, "large_objects": as_json(BLOBS), "sha256": "a" * 64, "warnings": [],
        "entries": 7, "imported": {"queries": {"total": as_json(ANSWER)}}, **changes,
    }  # fmt: skip
    return AppliedAction(applied=True, at=NOW, facts=facts)


def told(findings: list[Finding]) -> list[str]:
    """The messages."""
    return [str(finding) for finding in findings]


def after(last: int, increment: int = 1, used: int | None = None) -> Position:
    """A sequence that gave out *last*."""
    return Position(last, is_called=True, increment=increment, column="public.orders.id", used=used)


def fresh(first: int, increment: int = 1, used: int | None = None) -> Position:
    """A sequence that will give *first* next."""
    return Position(first, is_called=False, increment=increment, column="public.orders.id", used=used)


def counts(**tables: int) -> RowCounts:
    """Counts of tables in schema public."""
    return RowCounts({f"public.{name}": rows for name, rows in tables.items()})


@pytest.mark.parametrize(
    ("exported", "synced", "live", "target", "expected"),
    [
        pytest.param(copied(), NONE, counts(orders=12), ORDERS, [], id="equal to the export, not to the source now"),
        pytest.param(NONE, NONE, ORDERS, ORDERS, [], id="copied by hand, equal now"),
        pytest.param(
            copied(), NONE, ORDERS, counts(orders=9, parts=0),
            ["rows in public.orders on the target (9) == source at the export (10)"], id="rows missing",
        ),
        pytest.param(
            copied(), NONE, ORDERS, counts(orders=10),
            ["rows in public.parts on the target (no such table) == source at the export (0)"], id="table missing",
        ),
        pytest.param(
            NONE, NONE, counts(orders=11), counts(orders=10),
            ["rows in public.orders on the target (10) == source now (11)"], id="by hand, behind",
        ),
        pytest.param(
            NONE, NONE, counts(), counts(),
            ["tables at the source (0) > 0: nothing to compare proves nothing"], id="nothing",
        ),
        pytest.param(copied(), copied(), ORDERS, counts(orders=99, parts=3), [], id="users are on the target"),
        pytest.param(
            copied(), copied(), ORDERS, counts(orders=9, parts=3),
            ["rows in public.orders on the target (9) >= source at the final copy (10)"], id="fewer than copied",
        ),
    ],
)  # fmt: skip
def test_row_counts(
    exported: AppliedAction, synced: AppliedAction, live: RowCounts, target: RowCounts, expected: list[str]
) -> None:
    """Counts are judged by the export's snapshot, by the final copy, or live, in this order of preference."""
    assert told(rows.counts_match(exported, synced, live, target)) == expected


def test_critical_answers() -> None:
    """An answer differs by number of rows or by content, and the first differing row is shown."""
    other = replace(ANSWER, digest="e" * 64, first=(("11",),))
    assert rows.answers_match("total", copied(), NONE, other, ANSWER) == []
    assert rows.answers_match("total", NONE, NONE, ANSWER, ANSWER) == []
    assert rows.answers_match("total", copied(), copied(), other, other) == [], "taken right after the final copy"
    assert told(rows.answers_match("total", copied(), NONE, other, other)) == [
        "answer of total on the target (11) == source at the export (10)"
    ]
    assert told(rows.answers_match("new", copied(), NONE, ANSWER, replace(ANSWER, rows=0))) == [
        "rows of new on the target (0) == source now (1)"
    ]
    deep = replace(ANSWER, digest="f" * 64)
    assert told(rows.answers_match("total", NONE, NONE, ANSWER, deep)) == [
        "answer of total on the target (ffffffffffff) == source now (dddddddddddd)"
    ]


def test_large_objects() -> None:
    """Number and contents of large objects are the export's; after the final copy there may be more."""
    assert rows.large_objects_match(copied(), NONE, LargeObjects(9, ""), BLOBS) == []
    assert told(rows.large_objects_match(copied(), NONE, BLOBS, LargeObjects(1, "c" * 64))) == [
        "large objects on the target (1) == source at the export (2)"
    ]
    assert told(rows.large_objects_match(NONE, NONE, BLOBS, LargeObjects(2, "c" * 64))) == [
        "contents of large objects on the target (cccccccccccc) == source now (bbbbbbbbbbbb)"
    ]
    assert rows.large_objects_match(copied(), copied(), BLOBS, LargeObjects(3, "c" * 64)) == []


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (after(10), after(10, used=10), []),
        (after(10), after(50, used=10), []),
        (fresh(1), fresh(1, used=None), []),
        (after(-10, -5), fresh(-15, -5, used=-10), []),
        (after(10), fresh(10), ["next value of s on the target (10) >= source at the export (11)"]),
        (after(3), after(3, used=9), ["next value of s on the target (4) > public.orders.id (9)"]),
        (after(-10, -5), after(-5, -5), ["next value of s on the target (-10) >= source at the export (-15)"]),
        (after(3), None, ["sequence s on the target (missing) == source at the export (4)"]),
    ],
)  # fmt: skip
def test_sequences(source: Position, target: Position | None, expected: list[str]) -> None:
    """A sequence must be level with the source's and beyond its column, in its own direction."""
    record = copied(sequences={"s": as_json(source)})
    found = SequencePositions({} if target is None else {"s": target})
    assert told(sequences.are_ahead(record, NONE, AT_11, found)) == expected
    assert sequences.are_ahead(NONE, NONE, SequencePositions({}), found) == []


def test_schema() -> None:
    """Missing, extra and different objects are named; across majors the server's spelling does not count."""
    source = Catalog(17, {"index public.a": "CREATE INDEX a", "view public.v": "SELECT 1", "type public.t": "enum 'a'"})
    target = Catalog(
        17, {"index public.a": "CREATE INDEX a invalid", "table public.x": "", "type public.t": "enum 'b'"}
    )
    assert schema.matches(source, source) == []
    assert told(schema.matches(source, target)) == [
        "view public.v on the target (missing) == source (SELECT 1)",
        "table public.x on the target (present) == source (missing)",
        "index public.a on the target (CREATE INDEX a invalid) == source (CREATE INDEX a)",
        "type public.t on the target (enum 'b') == source (enum 'a')",
    ]
    older = Catalog(
        15, {"view public.v": "SELECT  one.one", "index public.a": "CREATE  INDEX a", "type public.t": "enum 'a'"}
    )
    assert schema.matches(older, source) == []
    assert (
        len(
            schema.matches(
                replace(older, objects={"index public.a": "x"}), Catalog(17, {"index public.a": "x invalid"})
            )
        )
        == 1
    )


def test_fence() -> None:
    """The fence holds only if set, effective, without exceptions, and without sessions from before it."""
    record = AppliedAction(applied=True, at=NOW, facts={"fenced_at": NOW.isoformat()})
    assert fence.writes_are_fenced("freeze", CALM, record) == []
    assert fence.writes_are_fenced("freeze", CALM, NONE) == []
    assert told(fence.writes_are_fenced(None, CALM, record)) == ["write_strategy (none) == freeze"]
    before = SessionInfo(7, "shop", "", NOW - timedelta(seconds=5))
    since = SessionInfo(8, "shop", "web", NOW + timedelta(seconds=5))
    busy = replace(STILL, deleted=8)
    broken = replace(
        CALM, setting=None, overrides=("batch",), fresh_read_only=False, sessions=(before, since), after=busy
    )
    assert told(fence.writes_are_fenced("freeze", broken, record)) == [
        "default_transaction_read_only of the source (not set) == on",
        "a fresh session at the source (writes) == read-only",
        "default_transaction_read_only of role batch (off) == not set",
        "session 7 of shop (unnamed) began (11:59:55) >= fence (12:00:00)",
        "rows written at the source within 0.3 s (3) == 0",
    ]


def test_nothing_was_lost() -> None:
    """Rows and sequences of the source stand as copied, and the target has at least as much."""
    more = counts(orders=15, parts=0)
    assert fence.nothing_was_lost(copied(), ORDERS, more, AT_11, AT_11) == []
    assert fence.nothing_was_lost(NONE, ORDERS, more, AT_11, AT_11) == []
    drawn = SequencePositions({"public.orders_id_seq": Position(11, is_called=True, increment=1)})
    assert told(fence.nothing_was_lost(copied(), more, counts(orders=9, parts=0), drawn, AT_11)) == [
        "rows in public.orders at the source (15) == at the final copy (10)",
        "sequence public.orders_id_seq at the source (12) == at the final copy (11)",
        "rows in public.orders on the target (9) >= source at the final copy (10)",
    ]


def test_source_is_quiet() -> None:
    """No writes while we look, and none since the final copy."""
    assert fence.is_quiet(copied(), CALM, ORDERS) == []
    assert fence.is_quiet(NONE, CALM, counts(orders=99)) == []
    busy = replace(CALM, after=replace(STILL, inserted=6))
    assert told(fence.is_quiet(copied(), busy, counts(orders=11, parts=0))) == [
        "rows written at the source within 0.3 s (1) == 0",
        "rows in public.orders at the source (11) == at the final copy (10)",
    ]


def test_clean_export_and_import() -> None:
    """Complaints, a changed or another archive, invalid indexes are findings; a copy by hand has no record."""
    archive = ArchiveState("export-database[main]", "main.dump", NOW, "a" * 64, "a" * 64)
    assert database.export_is_clean(copied(), Backups((archive,), {}, None)) == []
    assert database.export_is_clean(NONE, Backups((), {}, None)) == []
    gone = Backups((replace(archive, found=None),), {}, None)
    assert told(database.export_is_clean(copied(warnings=["warning: odd"], counts={}), gone)) == [
        "complaints of pg_dump (warning: odd) == none",
        "tables in the archive (0) > 0",
        "SHA-256 of main.dump (no such file) == recorded (aaaaaaaaaaaa)",
    ]
    target = Catalog(17, {"table public.a": "", "index public.i": "CREATE INDEX i"})
    assert database.import_is_clean(copied(), copied(), target) == []
    broken = Catalog(17, {"index public.i": "CREATE INDEX i invalid"})
    assert told(database.import_is_clean(copied(), copied(sha256="b" * 64, warnings=["error: x"]), broken)) == [
        "complaints of pg_restore (error: x) == none",
        "SHA-256 of the imported archive (bbbbbbbbbbbb) == exported (aaaaaaaaaaaa)",
        "index public.i on the target (invalid) == valid",
        "tables on the target (0) > 0",
    ]


def test_extensions() -> None:
    """Versions compare as numbers; more or newer on the target is no finding."""
    source = replace(SERVER, extensions=(Extension("citext", "1.9", "public"), Extension("hstore", "1.8", "public")))
    target = replace(SERVER, extensions=(Extension("citext", "1.10", "x"), Extension("hstore", "1.8", "public")))
    assert database.extensions_match(source, target) == []
    assert told(database.extensions_match(target, replace(source, extensions=source.extensions[:1]))) == [
        "extension citext on the target (1.9) >= source (1.10)",
        "extension hstore on the target (missing) == source (1.8)",
    ]


def test_settings() -> None:
    """Spellings of locales and of UTC are one; the fence's own setting is no difference."""
    alike = replace(SERVER, collate="en_US.utf8", settings={**SERVER.settings, "TimeZone": "Etc/UTC"})
    fenced = replace(SERVER, kept={"default_transaction_read_only": "on"})
    assert database.settings_match(fenced, alike) == []
    other = replace(SERVER, version=160004, encoding="SQL_ASCII", settings={"TimeZone": "Europe/Berlin"})
    assert told(database.settings_match(replace(SERVER, kept={"work_mem": "64MB"}), other)) == [
        "encoding on the target (SQL_ASCII) == source (UTF8)",
        "TimeZone on the target (Europe/Berlin) == source (UTC)",
        'search_path on the target (not set) == source ("$user", public)',
        "work_mem on the target (not set) == source (64MB)",
        "PostgreSQL on the target (16) >= source (17)",
    ]


def test_statistics() -> None:
    """A table with rows needs statistics; an empty one cannot have any."""
    known = Statistics({"public.orders": TableStatistics(3, 10.0)})
    assert database.statistics_are_fresh(known, ORDERS) == []
    assert told(database.statistics_are_fresh(Statistics({"public.orders": TableStatistics(0, 10.0)}), ORDERS)) == [
        "columns of public.orders with statistics on the target (0) > 0"
    ]


@pytest.mark.parametrize(
    ("found", "platform", "passes"),
    [
        ("a", {}, True),
        (None, {"db": "2026-05-04T10:00:00Z"}, True),
        (None, {"db": "2026-05-01T10:00:00Z", "other": "2026-05-04T11:00:00+00:00"}, True),
        ("x", {}, False),
        (None, {"db": "2026-05-01T10:00:00Z"}, False),
        (None, {"db": None, "odd": "yesterday"}, False),
    ],
)
def test_backups(found: str | None, platform: dict[str, str | None], passes: bool) -> None:  # noqa: FBT001
    """An intact archive of ours is enough, and so is a young backup of the platform's."""
    archive = ArchiveState("final-sync[main]", "main-final.dump", NOW, "a", found)
    findings = told(database.backup_is_kept(Backups((archive,), platform, None), NOW, timedelta(hours=24)))
    assert (findings == []) is passes
    if not passes:
        state = "changed" if found else "missing"
        assert findings[0] == f"archive main-final.dump of final-sync[main] ({state}) == kept"
        assert findings[1].startswith("age of the platform's newest backup (")
