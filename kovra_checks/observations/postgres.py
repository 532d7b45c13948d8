"""What is asked of PostgreSQL servers, and the answers. Databases are named; URLs never stand here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from kovra_checks.outcome import Question

__all__ = [
    "ArchiveState", "Backups", "BackupsOf", "Catalog", "CatalogOf", "Counters", "CriticalAnswer", "CriticalQueryAnswer",
    "Extension", "Fence", "FenceState", "LargeObjects", "LargeObjectsOf", "Position", "RowCounts", "RowCountsOf",
    "SequencePositions", "SequencePositionsOf", "Server", "ServerFacts", "SessionInfo", "Side", "Statistics",
    "StatisticsOf", "TableStatistics",
]  # fmt: skip

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Extension:
    """An installed extension."""

    name: str
    version: str
    schema: str


@dataclass(frozen=True, slots=True)
class Server:
    """A database and the server it is on.

    Attributes:
        version: `server_version_num`, e.g. 170010.
        encoding: Of the database, e.g. UTF8.
        collate: LC_COLLATE of the database.
        ctype: LC_CTYPE of the database.
        settings: What an application's fresh session finds, for the settings that change answers.
        kept: Settings kept with the database or the connecting role (ALTER DATABASE / ROLE … SET).
        extensions: Installed extensions, sorted by name; not plpgsql, which every database has.
        tls: Whether the connection was encrypted.
        size_bytes: Of the database.
    """

    version: int
    encoding: str
    collate: str
    ctype: str
    settings: dict[str, str]
    kept: dict[str, str]
    extensions: tuple[Extension, ...]
    tls: bool
    size_bytes: int

    @property
    def major(self) -> int:
        """E.g. 17."""
        return self.version // 10000


@dataclass(frozen=True, slots=True)
class ServerFacts(Question[Server]):
    """What kind of server and database is this?"""

    database: str
    side: Side
    kind: ClassVar[str] = "database-server"
    answer_type: ClassVar[type] = Server


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every object of the schemas that move.

    Attributes:
        major: Major version of the server: definitions are spelt by the server and may differ between majors.
        objects: `kind schema.name` -> definition as the server spells it, all names qualified.
    """

    major: int
    objects: dict[str, str]


@dataclass(frozen=True, slots=True)
class CatalogOf(Question[Catalog]):
    """Which objects are there, and how are they defined?"""

    database: str
    side: Side
    kind: ClassVar[str] = "database-catalog"
    answer_type: ClassVar[type] = Catalog


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Exact rows by table (partitions each for themselves), at one moment."""

    tables: dict[str, int]


@dataclass(frozen=True, slots=True)
class RowCountsOf(Question[RowCounts]):
    """How many rows has each table?"""

    database: str
    side: Side
    kind: ClassVar[str] = "database-row-counts"
    answer_type: ClassVar[type] = RowCounts


@dataclass(frozen=True, slots=True)
class Position:
    """Where a sequence stands.

    Attributes:
        last_value: As stored.
        is_called: Whether `last_value` was given out already.
        increment: Step; negative for a descending sequence.
        column: Column that takes its values, `schema.table.column`; None for a sequence on its own.
        used: Furthest value in that column in the sequence's direction; None without column or rows.
    """

    last_value: int
    is_called: bool
    increment: int
    column: str | None = None
    used: int | None = None

    @property
    def next_value(self) -> int:
        """What nextval() will give."""
        return self.last_value + self.increment if self.is_called else self.last_value


@dataclass(frozen=True, slots=True)
class SequencePositions:
    """All sequences by qualified name."""

    sequences: dict[str, Position]


@dataclass(frozen=True, slots=True)
class SequencePositionsOf(Question[SequencePositions]):
    """Where does each sequence stand, and which column lives from it?"""

    database: str
    side: Side
    kind: ClassVar[str] = "database-sequences"
    answer_type: ClassVar[type] = SequencePositions


@dataclass(frozen=True, slots=True)
class CriticalAnswer:
    """What a query returned.

    Attributes:
        columns: Column names.
        rows: Number of rows.
        digest: SHA-256 over all rows in text form, sorted: the order of rows does not count.
        first: The first rows in that order, cut short, to show what differs.
    """

    columns: tuple[str, ...]
    rows: int
    digest: str
    first: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True, slots=True)
class CriticalQueryAnswer(Question[CriticalAnswer]):
    """What does this query return?"""

    database: str
    side: Side
    query: str
    sql: str
    kind: ClassVar[str] = "database-critical-query"
    answer_type: ClassVar[type] = CriticalAnswer


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A client session. `started` by the server's clock."""

    pid: int
    role: str
    application: str
    started: datetime


@dataclass(frozen=True, slots=True)
class Counters:
    """What the server has counted in this database. `lsn` None where the role may not ask."""

    inserted: int
    updated: int
    deleted: int
    commits: int
    lsn: str | None

    @property
    def writes(self) -> int:
        """Rows inserted, updated and deleted so far."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class Fence:
    """Whether a database can be written to.

    Attributes:
        setting: default_transaction_read_only as kept with the database; None if not set.
        overrides: Roles with a default_transaction_read_only of their own that undoes it.
        fresh_read_only: Whether a fresh session of the configured role is read-only.
        sessions: Other client sessions, oldest first.
        before: Counters at first.
        after: Counters `interval` seconds later.
        interval: Seconds between the two.
    """

    setting: str | None
    overrides: tuple[str, ...]
    fresh_read_only: bool
    sessions: tuple[SessionInfo, ...]
    before: Counters
    after: Counters
    interval: float


@dataclass(frozen=True, slots=True)
class FenceState(Question[Fence]):
    """Does the source still take writes? Looks twice, `policy.quiet_interval` apart."""

    database: str
    kind: ClassVar[str] = "database-fence"
    answer_type: ClassVar[type] = Fence


@dataclass(frozen=True, slots=True)
class LargeObjects:
    """Large objects (lo_*). `digest` over ids and contents."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class LargeObjectsOf(Question[LargeObjects]):
    """Which large objects are there?"""

    database: str
    side: Side
    kind: ClassVar[str] = "database-large-objects"
    answer_type: ClassVar[type] = LargeObjects


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What the planner knows of one table.

    Attributes:
        columns_known: Columns with statistics in pg_stats; 0 before the first ANALYZE.
        estimated: Rows the planner believes in; -1 if it knows nothing.
    """

    columns_known: int
    estimated: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """By table."""

    tables: dict[str, TableStatistics]


@dataclass(frozen=True, slots=True)
class StatisticsOf(Question[Statistics]):
    """Has the target been analysed?"""

    database: str
    kind: ClassVar[str] = "database-statistics"
    answer_type: ClassVar[type] = Statistics


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """An archive that one of our actions wrote.

    Attributes:
        action: The action that wrote it.
        name: File name.
        written: When (UTC).
        recorded: SHA-256 in the ledger.
        found: SHA-256 of the file now; None if it is not there.
    """

    action: str
    name: str
    written: datetime
    recorded: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Backups:
    """What is left to go back to.

    Attributes:
        archives: Ours, newest first.
        platform: The source platform's newest backup by database (ISO 8601; None where it has none).
        platform_error: Why the platform could not be asked, or None.
    """

    archives: tuple[ArchiveState, ...]
    platform: dict[str, str | None]
    platform_error: str | None


@dataclass(frozen=True, slots=True)
class BackupsOf(Question[Backups]):
    """Which backups of the source database exist?"""

    database: str
    kind: ClassVar[str] = "database-backups"
    answer_type: ClassVar[type] = Backups
