"""`kovra-checks report`: render the reports of a run again."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any

from kovra_checks.errors import KovraChecksError
from kovra_checks.report.allure_html import RESULTS, allure_command, render_allure
from kovra_checks.report.summary import write_summary
from kovra_checks.report.verdict import FILE, read_verdict

__all__ = ["add"]


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "report",
        help="render summary.html (and the Allure report, if allure is installed) again",
        description="Render summary.html from verdict.json and the evidence, and allure-report/ from allure-results/ "
        "where an `allure` command is on PATH or in ./node_modules/.bin. Contacts nothing.",
    )
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    parser.add_argument("--open", action="store_true", help="open the summary in the browser")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    reports: Path = args.reports
    try:
        summary = write_summary(reports)
        print(summary)
        command = allure_command(Path())
        if command is None:
            print("no Allure report: `allure` is not installed (npm install allure)", file=sys.stderr)
        elif (reports / RESULTS).is_dir():
            verdict = read_verdict(reports / FILE)
            print(render_allure(reports, command, name=f"{verdict.migration}: {verdict.verdict}"))
    except KovraChecksError as error:
        print(error, file=sys.stderr)
        return 1
    if args.open:
        webbrowser.open(summary.resolve().as_uri())
    return 0
