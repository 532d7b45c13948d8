"""`kovra-checks faults`: what a rehearsal can be told to break, and who must notice."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.stages import STAGES

if TYPE_CHECKING:
    from kovra_checks.lab.faults import Fault

__all__ = ["add", "markdown"]

_EXAMPLES = """\
  kovra-checks faults
  kovra-checks faults --json
  pytest suites --rehearse --fault NAME      rehearse the move with it
  pytest suites/precutover --rehearse --fault NAME    the same for one stage
  kovra-checks faults --markdown > docs/faults.md
"""

_INTRO = """\
# The faults

What a rehearsal can be told to break (`pytest suites --rehearse --fault NAME`, repeatable), by the stage whose gate
must notice. The checks named must fail or be unable to look, and no other check of that stage may; the run ends with
the verdict named. `tests/test_faults.py` holds every fault to that: a check that stops noticing is noticed itself.

This page is made by `kovra-checks faults --markdown` (`make docs`).
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers,
        "faults",
        what="list the faults a rehearsal can inject, with the checks that notice",
        examples=_EXAMPLES,
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as a JSON list of {name, breaks, stage, checks, verdict}")
    form.add_argument("--markdown", action="store_true", help="as the page docs/faults.md")
    parser.set_defaults(call=_faults)


def _faults(options: argparse.Namespace) -> int:
    if options.json:
        listed = [_listed(fault) for stage in STAGES for fault in _of(stage)]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
    elif options.markdown:
        print(markdown())
    else:
        print("\n\n".join(_text(stage) for stage in STAGES))
    return 0


def markdown() -> str:
    """The page docs/faults.md."""
    lines = [_INTRO]
    for stage in STAGES:
        lines += [f"## {stage}", "", "| fault | what is broken | who notices | verdict |", "|---|---|---|---|"]
        lines += [
            f"| `{fault.name}` | {fault.breaks} | {', '.join(f'`{one}`' for one in _noticing(fault))} "
            f"| {fault.verdict} |"
            for fault in _of(stage)
        ]
        lines += [""]
    return "\n".join([*lines, f"{sum(1 for stage in STAGES for _ in _of(stage))} faults."])


def _text(stage: str) -> str:
    lines = [stage]
    for fault in _of(stage):
        lines += [f"  {fault.name}", textwrap.indent(textwrap.fill(fault.breaks, 110), "      ")]
        lines += [f"      {fault.verdict}: {', '.join(_noticing(fault))}"]
    return "\n".join(lines)


def _listed(fault: Fault) -> dict[str, object]:
    return {
        "name": fault.name,
        "breaks": fault.breaks,
        "stage": fault.stage,
        "checks": sorted(fault.checks),
        "actions": sorted(fault.actions),
        "verdict": fault.verdict,
    }


def _of(stage: str) -> Iterator[Fault]:
    from kovra_checks.lab.faults import FAULTS  # noqa: PLC0415 - no other command needs the lab

    return (fault for fault in FAULTS.values() if fault.stage == stage)


def _noticing(fault: Fault) -> list[str]:
    return [*sorted(fault.checks), *sorted(fault.actions)]
