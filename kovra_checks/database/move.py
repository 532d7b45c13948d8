"""The seam for ways to move a database, and what each of them tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kovra_checks.access import Access
from kovra_checks.migration import Database
from kovra_checks.observations.postgres import CriticalAnswer, LargeObjects, Position

__all__ = ["DatabaseMove", "Exported", "Imported"]

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported, and what the source held in the very snapshot that was exported.

    Attributes:
        archive: File name in the work folder.
        sha256: Of the file.
        size: Bytes.
        entries: Entries of its table of contents.
        seconds: From the snapshot to the finished file.
        source_version: Major version of the source.
        tools_version: Major version of the programs used.
        lsn: The source's write-ahead log position at the snapshot; None where the role may not ask.
        counts: Rows by table, in the snapshot.
        sequences: Positions, read just before the export began.
        queries: Critical queries' answers, in the snapshot.
        large_objects: In the snapshot.
        warnings: What the programs complained of.
    """

    archive: str
    sha256: str
    size: int
    entries: int
    seconds: float
    source_version: int
    tools_version: int
    lsn: str | None
    counts: dict[str, int]
    sequences: dict[str, Position]
    queries: dict[str, CriticalAnswer]
    large_objects: LargeObjects
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was imported, and what the target held right after.

    Attributes:
        archive: File name in the work folder.
        sha256: Of the file that was read.
        seconds: From the first change to the end of ANALYZE.
        counts: Rows by table on the target.
        queries: Critical queries' answers on the target.
        warnings: What the programs complained of.
        left_out: Entries of the archive that are made in another way or not at all.
        extensions: Extensions that were created.
        extensions_failed: Extensions that could not be created, with the reason.
        settings: Settings that were kept with the target database because the source has them.
        settings_failed: Settings that could not be.
    """

    archive: str
    sha256: str
    seconds: float
    counts: dict[str, int]
    queries: dict[str, CriticalAnswer]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    extensions: tuple[str, ...]
    extensions_failed: tuple[str, ...]
    settings: tuple[str, ...]
    settings_failed: tuple[str, ...]


class DatabaseMove(Protocol):
    """One way to move a database. Both methods leave nothing half done: they end well or raise and clean up."""

    def export(self, access: Access, database: Database, archive: Path, progress: Progress) -> Exported:
        """Write the source's schema and data, of one moment, to *archive*. Raises ActionFailed or CouldNotLook."""

    def load(self, access: Access, database: Database, archive: Path, progress: Progress) -> Imported:
        """Make the target hold exactly what *archive* holds, replacing what an earlier load made. Raises alike."""
