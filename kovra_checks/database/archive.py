"""A custom-format archive: its table of contents, and which of its entries a managed target can take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kovra_checks.database.tools import Tools, run_tool
from kovra_checks.errors import ActionFailed

__all__ = ["list_archive", "restorable"]

# Extensions are created beforehand (theirs may exist already, owned by the provider); schema public belongs to the
# database; event triggers need a superuser.
LEFT_OUT = re.compile(r"^(EXTENSION |COMMENT - EXTENSION |SCHEMA - public\b|COMMENT - SCHEMA public\b|EVENT TRIGGER )")


def list_archive(tools: Tools, archive: Path, folder: Path) -> tuple[str, ...]:
    """The archive's entries, one line each. Raises ActionFailed if it cannot be read or is empty."""
    ended = run_tool(
        tools.restore, ["--list", str(archive)], connection=None, folder=folder, deadline=120, progress=lambda _: None
    )
    entries = tuple(line for line in ended.stdout.splitlines() if line and not line.startswith(";"))
    if ended.returncode != 0 or not entries:
        raise ActionFailed(
            f"read the table of contents of {archive.name}",
            seen="; ".join(ended.problems) or f"{len(entries)} entries, exit status {ended.returncode}",
            remedy="export the database again: the file is damaged or of another version",
        )
    return entries


def restorable(entries: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The entries to restore, and what is left out (`kind schema name`)."""
    kept: list[str] = []
    left_out: list[str] = []
    for entry in entries:
        what = " ".join(entry.partition("; ")[2].split(" ")[2:])
        if LEFT_OUT.match(what):
            left_out.append(what.strip())
        else:
            kept.append(entry)
    return tuple(kept), tuple(left_out)
