"""`kovra-checks report`: render the reports of a run again."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from kovra_checks.cli.common import Subparsers, add_command
from kovra_checks.report.allure_html import RESULTS, allure_command, render_allure
from kovra_checks.report.summary import write_summary
from kovra_checks.report.verdict import FILE, read_verdict

__all__ = ["add"]


EXAMPLES = """\
  kovra-checks report                          reports/ of the last run
  kovra-checks report --reports DIR --open     another run's, and show it
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = add_command(
        subparsers,
        "report",
        what="render summary.html, and the Allure report where allure is installed, again",
        examples=EXAMPLES,
    )
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    parser.add_argument("--open", action="store_true", help="open the summary in the browser")
    parser.set_defaults(call=_call)


def _call(options: argparse.Namespace) -> int:
    reports: Path = options.reports
    summary = write_summary(reports)
    print(summary)
    command = allure_command(Path())
    if command is None:
        print("no Allure report: there is no `allure` on PATH or in node_modules (npm install allure)", file=sys.stderr)
    elif (reports / RESULTS).is_dir():
        verdict = read_verdict(reports / FILE)
        print(render_allure(reports, command, name=f"{verdict.migration}: {verdict.verdict}"))
    if options.open:
        webbrowser.open(summary.resolve().as_uri())
    return 0
