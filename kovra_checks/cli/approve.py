"""`kovra-checks approve`: somebody who may says that a stage may act."""

from __future__ import annotations

import argparse

from kovra_checks.cli.common import Subparsers, add_command, add_migration, migration_of
from kovra_checks.cli.hooked import stage_named
from kovra_checks.errors import ConfigError
from kovra_checks.ledger import Ledger
from kovra_checks.run.session import new_run_id
from kovra_checks.units import format_duration

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks approve cutover --by "Ada Lovelace" --reason "CAB 2211: window 22:00-23:00"
  kovra-checks status                                who approved what, and whether it still has force
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "approve", what="record in the ledger that the actions of a stage are approved", examples=_EXAMPLES
    )
    parser.add_argument("stage", metavar="STAGE", help="the stage whose actions are approved")
    parser.add_argument("--by", metavar="NAME", required=True, help="who approves")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, or under which change number")
    add_migration(parser)
    parser.set_defaults(call=_approve)


def _approve(options: argparse.Namespace) -> int:
    stage = stage_named(options.stage)
    for name in ("by", "reason"):
        if not getattr(options, name).strip():
            raise ConfigError("read the command line", seen=f"--{name} is empty", remedy="an approval names both")
    migration = migration_of(options)
    ledger = Ledger(migration.path(migration.ledger))
    try:
        # Without the lease: who approves may sit elsewhere than who runs, and an append disturbs nobody.
        body = {"stage": stage, "by": options.by.strip(), "reason": options.reason.strip(),
                "config_digest": migration.digest}  # fmt: skip
        entry = ledger.append("approval", body, run=f"approval-{new_run_id()}")
    finally:
        ledger.close()
    age = format_duration(migration.policy.evidence_max_age)
    print(f"{stage} approved by {entry.body['by']}, for configuration {migration.digest[:16]} and the next {age}")
    if stage not in migration.policy.approvals:
        print(f'note: nothing asks for it: policy.approvals does not name "{stage}"')
    return 0
