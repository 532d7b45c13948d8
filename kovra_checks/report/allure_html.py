"""The Allure report as HTML, where the `allure` command (2 or 3) is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from kovra_checks.errors import KovraChecksError

__all__ = ["REPORT", "RESULTS", "allure_command", "render_allure"]

RESULTS = "allure-results"
REPORT = "allure-report"
LIMIT = 300  # seconds


def allure_command(directory: Path) -> Path | None:
    """The `allure` on PATH, or the one npm installed into *directory*; None if there is neither."""
    local = directory / "node_modules" / ".bin" / "allure"
    found = shutil.which("allure") or (str(local) if local.is_file() else None)
    return None if found is None else Path(found)


def render_allure(reports: Path, command: Path, *, name: str) -> Path:
    """Make `allure-report/index.html` in *reports* from `allure-results/`; one file, readable without a web server.

    Args:
        reports: The reports folder.
        command: The `allure` to use.
        name: Title of the report.

    Raises:
        KovraChecksError: There are no results, or the command failed.
    """
    results, report = reports / RESULTS, reports / REPORT
    if not any(results.glob("*-result.json")):
        raise KovraChecksError(
            f"render {report}",
            seen=f"no results in {results}",
            remedy="run pytest without -p no:allure_pytest: it writes them there",
        )
    shutil.rmtree(report, ignore_errors=True)
    major = _run(command, "--version").strip().partition(".")[0]
    kind = ["awesome"] if major.isdecimal() and int(major) >= 3 else ["generate"]
    _run(command, *kind, str(results), "--output", str(report), "--report-name", name, "--single-file")
    return report / "index.html"


def _run(command: Path, *arguments: str) -> str:
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=LIMIT, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise KovraChecksError(
            f"run {command} {arguments[0]}",
            seen=str(said).strip()[-500:],
            remedy="install a working one (npm install allure), or read summary.html, which needs none",
        ) from None
    return done.stdout
