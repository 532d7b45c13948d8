"""`kovra-checks faults`: what a rehearsal can be told to break, and who must notice."""

from __future__ import annotations

import argparse
import json

from kovra_checks.cli.common import Subparsers, add_command

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks faults
  kovra-checks faults --json
  pytest suites --rehearse --fault NAME      rehearse the move with it
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers,
        "faults",
        what="list the faults a rehearsal can inject, with the checks that notice",
        examples=_EXAMPLES,
    )
    parser.add_argument("--json", action="store_true", help="as a JSON list of {name, breaks, stage, checks}")
    parser.set_defaults(call=_faults)


def _faults(options: argparse.Namespace) -> int:
    from kovra_checks.lab.faults import FAULTS  # noqa: PLC0415 - no other command needs the lab

    if options.json:
        listed = [
            {"name": one.name, "breaks": one.breaks, "stage": one.stage, "checks": list(one.checks)}
            for one in FAULTS.values()
        ]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return 0
    for one in FAULTS.values():
        print(f"{one.name}\n  {one.breaks}\n  {one.stage}: {', '.join((*one.checks, *one.actions))}")
    return 0
