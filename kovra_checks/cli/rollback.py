"""`kovra-checks rollback`: undo the cutover by hand, knowing what it costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kovra_checks.cli.common import Subparsers, add_command, add_migration, migration_of
from kovra_checks.cli.hooked import in_run
from kovra_checks.ledger import History
from kovra_checks.outcome import Finding
from kovra_checks.report.verdict import EXIT_CODES, VerdictWord
from kovra_checks.run.losses import what_would_be_lost
from kovra_checks.run.rollback import STAGE, RollbackResult, roll_back
from kovra_checks.run.standalone import StandaloneRun, working

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks rollback                              says what it would undo and lose, and asks
  kovra-checks rollback --yes                        without asking; still refuses if anything would be lost
  kovra-checks rollback --yes --accept-loss          back at any price: what the new side took stays there
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "rollback", what="undo the cutover from the ledger, newest action first", examples=_EXAMPLES
    )
    add_migration(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask; changes DNS records and writes at the source")
    parser.add_argument(
        "--accept-loss", action="store_true", help="even if writes that the new side took are lost, or cannot be known"
    )
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), metavar="DIR", help="evidence goes to DIR/rollback/RUN"
    )
    parser.set_defaults(call=_rollback)


def _rollback(options: argparse.Namespace) -> int:
    migration = migration_of(options)
    if not migration.path(migration.ledger).exists():
        print(f"nothing to roll back: there is no ledger at {migration.path(migration.ledger)}")
        return 0
    return in_run(
        options,
        lambda hook, migration: working(hook, migration, reports=options.reports, say=_say),
        lambda run: _decide(run, yes=options.yes, accept_loss=options.accept_loss),
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _decide(run: StandaloneRun, *, yes: bool, accept_loss: bool) -> int:
    assert run.ledger is not None
    standing = History(run.ledger.entries()).undoable(STAGE)
    if not standing:
        _say("nothing to roll back: no action of the cutover stands")
        return 0
    _say(f"{run.migration.name}: {len(standing)} actions of the cutover would be undone, newest first:")
    for action in standing:
        _say(f"    {action.action}, begun at {action.at} in run {action.run}")
    lost = what_would_be_lost(run, standing)
    _tell_losses(run, lost)
    if lost and not accept_loss:
        _say("not rolled back: export what the new side took first, or give --accept-loss")
        return EXIT_CODES["NO-GO"]
    if not yes and not _confirmed():
        return EXIT_CODES["NO-GO"]
    return _go(run, lost)


def _tell_losses(run: StandaloneRun, lost: Sequence[Finding]) -> None:
    if not lost:
        _say("it would lose nothing that rows, sequences, large objects and critical queries show")
        return
    _say("it would lose what the new side took since the swap; does not hold:")
    for finding in lost:
        _say(f"    {run.secrets.mask(str(finding))}")


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        _say("not rolled back: nobody can be asked here; give --yes")
        return False
    return input("roll back now? [y/N] ").strip().lower() in ("y", "yes")


def _go(run: StandaloneRun, lost: Sequence[Finding]) -> int:
    _record(run, "run-started", {"config_digest": run.migration.digest, "rehearsal": run.settings.rehearsal,
                                 "apply": True, "plan": "", "arguments": ["rollback"]})  # fmt: skip
    result = roll_back(run, _say)
    problems = _problems(result)
    for problem in problems:
        _say(run.secrets.mask(problem))
    word: VerdictWord = "ROLLED-BACK" if result.is_complete else "STOPPED"
    _record(run, "verdict", {"verdict": word, "exit_code": EXIT_CODES[word], "scope": [STAGE],
                             "undone": list(result.undone), "problems": problems,
                             "accepted_loss": [str(finding) for finding in lost]})  # fmt: skip
    run.seal()
    told = "the old side is well" if result.is_complete else "see above, then roll back again: what is undone stays so"
    _say(f"{word} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {len(result.undone)} actions undone; {told}")
    _say(f"evidence: {run.evidence.directory}")
    return EXIT_CODES[word]


def _problems(result: RollbackResult) -> list[str]:
    stopped = [f"rollback stopped: {result.problem}"] if result.problem is not None else []
    return stopped + [f"old side after the rollback: {finding}" for finding in result.findings]


def _record(run: StandaloneRun, kind: str, body: dict[str, object]) -> None:
    assert run.ledger is not None
    run.ledger.append(kind, run.secrets.mask_all(body), run=run.settings.run_id, lease=run.lease)
