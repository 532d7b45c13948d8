"""`kovra-checks checks`: the checklist."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from kovra_checks.checklist import CHECKLIST
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.stages import STAGES

__all__ = ["add", "markdown"]

_EXAMPLES = """\
  kovra-checks checks
  kovra-checks checks --stage precutover
  kovra-checks checks --markdown > docs/checks.md
"""

_INTRO = """\
# The checks

Every check of the checklist, stage by stage. The id is stable: it is the name in test ids, in `verdict.json`, in Allure
and in waivers; one id can belong to several stages. *Each* says what there is one of: `ttl-is-low[shop.example.com]`.
A check that is *planned* is listed, never expected and never passed.

This page is made by `kovra-checks checks --markdown` (`make docs`).
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers, "checks", what="list every check, what it proves and what to do if it fails", examples=_EXAMPLES
    )
    parser.add_argument("--stage", choices=STAGES, help="only those of one stage")
    parser.add_argument("--markdown", action="store_true", help="as the page docs/checks.md")
    parser.set_defaults(call=_checks)


def _checks(options: argparse.Namespace) -> int:
    if options.markdown:
        print(markdown())
        return 0
    for stage in STAGES if options.stage is None else (options.stage,):
        print(stage)
        for spec in _of(stage):
            print(f"  {spec.id} [{spec.each}]{'' if spec.implemented else '  (planned)'}")
            print(textwrap.indent(textwrap.fill(spec.title, 110), "      "))
    return 0


def markdown() -> str:
    """The page docs/checks.md."""
    lines = [_INTRO]
    for stage in STAGES:
        lines += [f"## {stage}", "", "| check | each | what is true | guide | if it fails | severity |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        lines += [_row(spec) for spec in _of(stage)]
        lines += [""]
    planned = [spec.id for spec in CHECKLIST.values() if not spec.implemented]
    built = len(CHECKLIST) - len(planned)
    lines += [f"{built} checks are built, {len(planned)} are planned{': ' if planned else ''}{', '.join(planned)}."]
    return "\n".join(lines)


def _of(stage: str) -> Iterator[CheckSpec]:
    return (spec for spec in CHECKLIST.values() if stage in spec.stages)


def _row(spec: CheckSpec) -> str:
    state = "" if spec.implemented else " *planned*"
    cells = (f"`{spec.id}`{state}", spec.each, spec.title, spec.guide, spec.remedy, spec.severity)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
