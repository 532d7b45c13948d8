"""`kovra-checks plan`: what the actions of a stage would change."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from kovra_checks.actions.base import Plan, checksum
from kovra_checks.cli.common import Subparsers, add_command, add_migration
from kovra_checks.cli.hooked import in_run, stage_named
from kovra_checks.errors import KovraChecksError
from kovra_checks.run.context import action_id
from kovra_checks.run.standalone import StandaloneRun, looking

__all__ = ["add"]

_EXAMPLES = """\
  kovra-checks plan cutover                          what it would change; nothing is changed
  kovra-checks run cutover --apply --plan SHA        apply exactly what was reviewed
  kovra-checks plan precutover --json                for a pipeline: .checksum
"""
COULD_NOT_PLAN = 1


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "plan", what="show what the actions of a stage would change, by looking only", examples=_EXAMPLES
    )
    parser.add_argument("stage", metavar="STAGE", help="the stage whose actions are planned")
    add_migration(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(call=_plan)


def _plan(options: argparse.Namespace) -> int:
    stage = stage_named(options.stage)
    return in_run(
        options,
        lambda hook, migration: looking(hook, migration, say=lambda text: print(text, file=sys.stderr)),
        lambda run: _show(run, stage, as_json=options.json),
    )


def _show(run: StandaloneRun, stage: str, *, as_json: bool) -> int:
    plans: list[Plan] = []
    problems: list[dict[str, str]] = []
    for action in run.actions(stage):
        try:
            plans.append(action.plan(run.access))
        except KovraChecksError as problem:
            told = {"action": action_id(action), "tried": problem.tried, "seen": problem.seen, "remedy": problem.remedy}
            problems.append(told)
    pin = None if problems else checksum(plans)
    told_plans = [
        {"action": plan.action, "note": plan.note,
         "steps": [{"what": step.what, "old": step.old, "new": step.new} for step in plan.steps]}
        for plan in plans
    ]  # fmt: skip
    told_all: dict[str, Any] = run.secrets.mask_all({
        "version": 1, "migration": run.migration.name, "config_digest": run.migration.digest, "stage": stage,
        "checksum": pin, "plans": told_plans, "problems": problems,
    })  # fmt: skip
    if as_json:
        print(json.dumps(told_all, indent=2, ensure_ascii=False))
    else:
        _tell(told_all)
    return COULD_NOT_PLAN if problems else 0


def _tell(told: dict[str, Any]) -> None:
    stage, plans, problems = told["stage"], told["plans"], told["problems"]
    if not plans and not problems:
        print(f"{stage} has no actions: it only looks (kovra-checks run {stage})")
        return
    for plan in plans:
        print(f"{plan['action']}{'' if plan['steps'] else ': nothing to change'}")
        for step in plan["steps"]:
            print(f"    {step['what']}: {step['old']} -> {step['new']}")
        if plan["note"]:
            print(f"    note: {plan['note']}")
    for problem in problems:
        print(f"{problem['action']}: cannot be planned yet")
        print(f"    {problem['tried']}: {problem['seen']}\n    what to do: {problem['remedy']}")
    changes = sum(len(plan["steps"]) for plan in plans)
    print(f"{stage}: {len(plans)} actions planned, {changes} changes, {len(problems)} that cannot be planned")
    if told["checksum"] is not None:
        print(f"checksum {told['checksum']}: kovra-checks run {stage} --apply --plan {told['checksum']}")
    else:
        print("no checksum: a plan with a gap cannot be reviewed")
