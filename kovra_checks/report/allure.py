"""Allure results: labels, steps, attachments and side files. The only module that imports allure.

Everything here is a no-op when the Allure plugin is off (`-p no:allure_pytest`, or no `--alluredir`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import uuid
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import allure
import pytest

from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.outcome import Observation, as_json
from kovra_checks.report.verdict import CheckVerdict, Verdict
from kovra_checks.stages import position

__all__ = [
    "attach_observations", "guard_clean", "is_active", "labels", "missing_results", "register", "step",
    "write_side_files",
]  # fmt: skip

MARKS: Any = allure  # its functions carry no types
SUBJECT: pytest.StashKey[tuple[str, str]] = pytest.StashKey()
STATUS = {
    "passed": "passed", "failed": "failed", "broken": "broken", "waived": "skipped",
    "not-run": "broken", "not-reached": "skipped",
}  # fmt: skip
# `[\s\S]` because Allure 2 (Java) and Allure 3 (JavaScript) disagree on whether a dot matches a line break
CATEGORIES = (
    ("Findings", "failed", ""),
    ("Too early", "broken", "is too early"),
    ("Not run", "broken", "not run:"),
    ("Could not look", "broken", "could not look"),
    ("Not reached", "skipped", "not reached:"),
    ("Waived", "skipped", "waived:"),
    ("Planned, not applied", "skipped", "planned:"),
)


def is_active(config: pytest.Config) -> bool:
    """Whether Allure results are written in this session."""
    return config.pluginmanager.hasplugin("allure_pytest") and bool(config.getoption("allure_report_dir", None))


def guard_clean(config: pytest.Config) -> None:
    """Let only the controller obey `--clean-alluredir`: a worker, or its replacement after a crash, would wipe results.

    Call it in `pytest_configure(tryfirst=True)`, before Allure's own.
    """
    if hasattr(config, "workerinput") and hasattr(config.option, "clean_alluredir"):
        config.option.clean_alluredir = False


def register(config: pytest.Config) -> None:
    """Show a check's subject as its Allure parameter, instead of the whole model object that pytest was given."""
    if is_active(config):
        config.pluginmanager.register(_Parameters(), "kovra_allure_parameters")


class _Parameters:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A wrapper, so that it comes before a guard that skips. Allure keeps parameters that are there already."""
        if SUBJECT in item.stash:
            kind, subject = item.stash[SUBJECT]
            MARKS.dynamic.parameter(kind, subject)
        return (yield)


def labels(
    item: pytest.Item, *, run: str, stage: str, spec: CheckSpec | None, subject: str, guide_url: str = ""
) -> None:
    """Label *item* at collection, so that the labels are there even if a closed gate skips it.

    Args:
        item: A check, or an action (then without *spec*).
        run: The migration's name.
        stage: The stage it belongs to.
        spec: The check's entry in the checklist.
        subject: What it is about; for an action its id.
        guide_url: Where the migration guide can be read; its sections are linked if given.
    """
    if not is_active(item.config):
        return
    item.add_marker(MARKS.epic(run))
    item.add_marker(MARKS.feature(stage))
    item.add_marker(MARKS.parent_suite(_suite(stage)))
    item.add_marker(MARKS.label("subject", subject))
    if spec is None:
        item.add_marker(MARKS.story("actions"))
        return
    item.stash[SUBJECT] = (spec.each, subject)
    item.add_marker(MARKS.story(spec.id))
    item.add_marker(MARKS.severity(spec.severity))
    item.add_marker(MARKS.description(_description(spec)))
    if guide_url:
        item.add_marker(MARKS.link(f"{guide_url}#{_anchor(spec.guide)}", name=spec.guide))
    function = getattr(item, "obj", None)
    if function is not None and not isinstance(item, pytest.Function):
        # items of other kinds have an `obj` each, so its title can name the subject; Allure wants their fixtures
        function = functools.wraps(function)(functools.partial(function))
        item.obj = function  # type: ignore[attr-defined]
        item.funcargs = {}  # type: ignore[attr-defined]
    if function is not None:
        place = "{param_id}" if isinstance(item, pytest.Function) else _literal(subject)
        function.__allure_display_name__ = f"{_literal(spec.title)} [{place}]"


def _suite(stage: str) -> str:
    """The stage with its number: reports sort by name."""
    return f"{position(stage) + 1} {stage}"


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _anchor(guide: str) -> str:
    """The section of `Section: line` as a heading anchor."""
    words = guide.split(":", 1)[0].lower()
    return "-".join("".join(c if c.isalnum() else " " for c in words).split())


def _description(spec: CheckSpec) -> str:
    return f"**{spec.id}** (guide: {spec.guide})\n\n{spec.title}\n\n**If it fails:** {spec.remedy}"


def step(title: str) -> AbstractContextManager[object]:
    """A step of the running item; its duration and failure are Allure's to record."""
    made: AbstractContextManager[object] = allure.step(title)
    return made


def attach_observations(observations: Iterable[Observation]) -> None:
    """Attach what the running check was judged by, one attachment per question."""
    for seen in observations:
        with step(f"observed {seen.kind} from {seen.vantage} at {seen.at:%H:%M:%S} in {seen.took:.3f} s"):
            body = json.dumps(as_json(seen), indent=2, ensure_ascii=False, sort_keys=True)
            allure.attach(body, name=f"{seen.kind} {seen.key}", attachment_type=allure.attachment_type.JSON)


def write_side_files(directory: Path, verdict: Verdict) -> None:
    """Write what Allure shows around the results. Call it in the controller, after the results are there."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = {
        "migration": verdict.migration,
        "rehearsal": "yes" if verdict.rehearsal else "no",
        "verdict": verdict.verdict,
        "scope": " ".join(verdict.scope),
        "config": verdict.config_digest,
        "run": verdict.run_id,
        "kovra-checks": version("kovra-checks"),
    }
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    (directory / "environment.properties").write_text(lines, encoding="ascii", errors="backslashreplace")
    categories = [
        {"name": name, "matchedStatuses": [status], "messageRegex": rf"[\s\S]*{words}[\s\S]*"}
        for name, status, words in CATEGORIES
    ]
    _write(directory / "categories.json", categories)
    _write(directory / "executor.json", _executor(verdict, os.environ))


def _executor(verdict: Verdict, environment: Mapping[str, str]) -> dict[str, str]:
    """Which machine's build this was, from the variables GitHub Actions and GitLab CI set."""
    told = {"name": "kovra-checks", "type": "local", "buildName": verdict.run_id}
    if "GITHUB_RUN_ID" in environment:
        run = environment["GITHUB_RUN_ID"]
        where = f"{environment.get('GITHUB_SERVER_URL', '')}/{environment.get('GITHUB_REPOSITORY', '')}"
        told |= {"type": "github", "buildName": f"run {run}", "buildUrl": f"{where}/actions/runs/{run}"}
    elif "CI_JOB_URL" in environment:
        told |= {
            "type": "gitlab",
            "buildName": environment.get("CI_JOB_NAME", ""),
            "buildUrl": environment["CI_JOB_URL"],
        }
    return {**told, "reportName": f"{verdict.migration}: {verdict.verdict}"}


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def missing_results(directory: Path, verdict: Verdict) -> int:
    """Write a result for every expected check that left none (its worker crashed, or it never ran).

    Returns how many. Without them a report of a crashed run would look complete.
    """
    directory.mkdir(parents=True, exist_ok=True)
    present = {_identity(path) for path in directory.glob("*-result.json")}
    missing = [check for check in verdict.checks if (check.stage, check.id, check.subject) not in present]
    for check in missing:
        result = _result(check, verdict)
        _write(directory / f"{result['uuid']}-result.json", result)
    return len(missing)


def _identity(path: Path) -> tuple[str, str, str]:
    """Stage, check id and subject of a result; empty strings where a crash left half a file, or it is no check."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return ("", "", "")
    named = {label["name"]: str(label["value"]) for label in found.get("labels", ())}
    return (named.get("feature", ""), named.get("story", ""), named.get("subject", ""))


def _result(check: CheckVerdict, verdict: Verdict) -> dict[str, Any]:
    moment = int(verdict.ended.timestamp() * 1000)
    seen = "; ".join(check.findings) or "no result was reported"
    identity = hashlib.md5(f"{check.stage}/{check.full_id}".encode(), usedforsecurity=False).hexdigest()
    message = f"{check.outcome.replace('-', ' ')}: {check.full_id}: {seen}"
    said = {"epic": verdict.migration, "feature": check.stage, "story": check.id, "subject": check.subject,
            "severity": check.severity, "framework": "pytest", "parentSuite": _suite(check.stage)}  # fmt: skip
    return {
        "uuid": str(uuid.uuid4()), "historyId": identity, "testCaseId": identity,
        "name": f"{check.title} [{check.subject}]", "fullName": f"suites.{check.stage}#{check.full_id}",
        "status": STATUS[check.outcome], "stage": "finished", "start": moment, "stop": moment,
        "statusDetails": {"message": message, "trace": check.remedy},
        "description": f"**{check.id}** (guide: {check.guide})\n\n**What to do:** {check.remedy}",
        "labels": [{"name": name, "value": value} for name, value in said.items()],
        "parameters": [], "links": [], "attachments": [], "steps": [], "titlePath": ["suites", check.stage],
    }  # fmt: skip
