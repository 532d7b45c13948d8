"""`kovra-checks status`: where the migration stands and what it waits for. Contacts nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kovra_checks.cli.common import DEFAULT_FILE, Subparsers, add_command, add_migration, migration_of
from kovra_checks.ledger import History, Ledger
from kovra_checks.migration import Migration
from kovra_checks.outcome import as_json
from kovra_checks.run.standing import StageStanding, Standing, stand

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks status
  kovra-checks status --json                      for a pipeline: .next.command, .stages[].is_open
"""
COLOURS = {"GO": "green", "NO-GO": "red", "INCONCLUSIVE": "yellow"}


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "status", what="tell where the migration stands and what comes next", examples=_EXAMPLES
    )
    add_migration(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(call=_status)


def _status(options: argparse.Namespace) -> int:
    migration = migration_of(options)
    entries, holder = _read(migration)
    standing = stand(migration, entries, holder=holder, given=_given(options), now=datetime.now(UTC))
    if options.json:
        print(json.dumps(dict(as_json(standing)), indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _show(standing)
    else:
        print("\n".join(_lines(standing)))
    return 0


def _read(migration: Migration) -> tuple[History, dict[str, Any] | None]:
    """Everything in the ledger, its chain verified. Without a file: nothing."""
    path: Path = migration.path(migration.ledger)
    if not path.exists():
        return History(()), None
    ledger = Ledger(path, read_only=True)
    try:
        ledger.verify()
        return History(ledger.entries()), ledger.holder()
    finally:
        ledger.close()


def _given(options: argparse.Namespace) -> list[str]:
    given = [] if options.migration == DEFAULT_FILE else ["--migration", str(options.migration)]
    return given + (["--environment", options.environment] if options.environment else [])


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _gate(stage: StageStanding) -> str:
    if stage.decision is None:
        return "never looked at"
    return stage.decision if stage.is_open or stage.decision != "GO" else "GO, not open"


def _details(stage: StageStanding) -> Iterator[str]:
    """What there is to say of a stage beyond its decision."""
    if stage.is_open and stage.fresh_until is not None:
        yield f"open; fresh until {_clock(stage.fresh_until)}"
    if stage.closed is not None and stage.decision == "GO":
        yield stage.closed.removeprefix(f"{stage.name}: ")
    if stage.decision not in (None, "GO"):
        yield from stage.reasons[:3]
        if len(stage.reasons) > 3:
            yield f"… and {len(stage.reasons) - 3} more reasons (verdict.json of that run has all)"
    if stage.until is not None:
        yield f"not before {_clock(stage.until)}"
    applied = Counter(action.state for action in stage.actions)["applied"]
    if applied:
        yield f"{applied} actions applied"
    yield from (f"{one.id}: {one.state} at {_clock(one.at)}" for one in stage.actions if one.state != "applied")
    if stage.approval is not None:
        force = "" if stage.approval.lacking is None else f"; no force any more: {stage.approval.lacking}"
        yield f"approved by {stage.approval.by} at {_clock(stage.approval.at)}: {stage.approval.reason}{force}"
    if stage.approval_needed:
        yield "its actions wait for an approval"


def _head(standing: Standing) -> Iterator[str]:
    kind = "rehearsal of migration" if standing.rehearsal else "migration"
    yield f"{kind} {standing.migration}, configuration {standing.config_digest[:16]}"
    if standing.entries == 0:
        yield f"ledger {standing.ledger}: nothing in it yet; nothing was looked at, nothing was changed"
    else:
        yield f"ledger {standing.ledger}: {standing.entries} entries, chain whole"
    holder = standing.holder
    if holder is not None:
        yield f"lease held by run {holder['run']} (pid {holder['pid']} on {holder['host']}, since {holder['since']})"


def _foot(standing: Standing) -> Iterator[str]:
    step = standing.next
    yield f"next: {step.command or 'nothing to start'}"
    yield f"      {step.why}"
    if step.not_before is not None:
        yield f"      not before {_clock(step.not_before)}"


def _lines(standing: Standing) -> Iterator[str]:
    """One fact per line, for pipes and logs."""
    yield from _head(standing)
    for stage in standing.stages:
        when = "" if stage.decided is None else f" at {_clock(stage.decided)}"
        yield f"{stage.name}: {_gate(stage)}{when}"
        yield from (f"    {line}" for line in _details(stage))
    yield from _foot(standing)


def _show(standing: Standing) -> None:
    console = Console(highlight=False)
    for line in _head(standing):
        console.print(line, markup=False, soft_wrap=True)
    table = Table("stage", "gate", "decided", "what it says")
    for stage in standing.stages:
        colour = COLOURS.get(stage.decision or "", "dim") if stage.is_open or stage.decision != "GO" else "yellow"
        when = "" if stage.decided is None else _clock(stage.decided)
        table.add_row(stage.name, f"[{colour}]{_gate(stage)}[/]", when, _plain("\n".join(_details(stage))))
    console.print(table)
    for line in _foot(standing):
        console.print(line, markup=False, soft_wrap=True)


def _plain(text: str) -> str:
    """Ids have brackets, which rich would take for markup."""
    return text.replace("[", r"\[")
