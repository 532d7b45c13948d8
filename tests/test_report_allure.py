"""Allure: labels that survive a closed gate, results that survive a crash, and side files beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fix_report import SHOP, BuildReport

from kovra_checks.report import allure
from kovra_checks.report.verdict import read_verdict

CONFTEST = """
import os
import pytest
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.report import allure

SPEC = CheckSpec("ttl-is-low", "Every server shows a {low} TTL", ("precutover",), "domain", "Cutover: lower the TTL",
                 "Set it lower.", "critical")

class Model:
    def __repr__(self):
        return "Model(with all its settings)"

class Contributed(pytest.Item):
    obj = staticmethod(lambda: None)

    def runtest(self):
        with allure.step("looks"):
            pass

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    allure.guard_clean(config)
    allure.register(config)

def pytest_generate_tests(metafunc):
    metafunc.parametrize("domain", [Model() for _ in range(4)], ids=["a.test", "b.test", "c.test", "closed.test"])

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "closed.test" in item.nodeid:
        pytest.skip("not reached: gate pitfalls is not open")

def pytest_collection_modifyitems(session, items):
    for name in ("ttl-is-low[own.test]", "lower-ttl[a.test]"):
        items.append(Contributed.from_parent(session, name=name, nodeid=f"suites/precutover/own::{name}"))
    for item in items[:-1]:
        subject = item.name.split("[")[1][:-1]
        allure.labels(item, run="shop", stage="precutover", spec=SPEC, subject=subject, guide_url="guide.html")
    allure.labels(items[-1], run="shop", stage="precutover", spec=None, subject=items[-1].name)
"""
CHECKS = """
import os
import pytest

def test_ttl_is_low(domain, request):
    if "c.test" in request.node.nodeid and os.environ.get("CRASH"):
        os._exit(1)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project that labels its items as the plugin does."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    suite = tmp_path / "suites" / "precutover"
    suite.mkdir(parents=True)
    (suite / "test_dns.py").write_text(CHECKS)
    return tmp_path


def run(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Pytest in *project*."""
    given = ["-p", "no:kovra_checks", "-p", "no:cacheprovider", *arguments, "suites"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *given], cwd=project, env=os.environ | environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def results(directory: Path) -> dict[str, dict[str, Any]]:
    """Allure's results by the subject they are labelled with."""
    found = [json.loads(path.read_bytes()) for path in directory.glob("*-result.json")]
    return {next((label["value"] for label in one["labels"] if label["name"] == "subject"), ""): one for one in found}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_results_carry_labels_even_behind_a_closed_gate(project: Path, workers: str) -> None:
    """Stage, check, severity, title, guide and remedy are there, and the subject instead of a whole model."""
    assert run(project, "--alluredir=results", "--clean-alluredir", "-n", workers).returncode == 0
    found = results(project / "results")
    assert sorted(found) == ["a.test", "b.test", "c.test", "closed.test", "lower-ttl[a.test]", "own.test"]
    closed = found["closed.test"]
    labels = {label["name"]: label["value"] for label in closed["labels"]}
    wanted = {"epic": "shop", "feature": "precutover", "story": "ttl-is-low", "severity": "critical",
              "parentSuite": "5 precutover"}  # fmt: skip
    assert labels | wanted == labels
    assert (closed["name"], closed["status"]) == ("Every server shows a {low} TTL [closed.test]", "skipped")
    assert "not reached: gate pitfalls" in closed["statusDetails"]["message"]
    assert "Set it lower." in closed["description"]
    assert closed["links"] == [{"type": "link", "url": "guide.html#cutover", "name": "Cutover: lower the TTL"}]
    assert closed["parameters"] == [{"name": "domain", "value": "'closed.test'"}]
    assert found["own.test"]["name"] == "Every server shows a {low} TTL [own.test]"
    assert found["own.test"]["status"] == "passed"


def test_a_crash_does_not_wipe_the_results(project: Path) -> None:
    """The worker that replaces a crashed one obeys no --clean-alluredir; the crashed check alone has no result."""
    arguments = ("--alluredir=results", "--clean-alluredir", "-n", "1", "--max-worker-restart=1")
    assert run(project, *arguments, CRASH="1").returncode == 1
    assert sorted(results(project / "results")) == ["a.test", "b.test", "closed.test", "lower-ttl[a.test]", "own.test"]


@pytest.mark.parametrize("arguments", [("-p", "no:allure_pytest"), ()], ids=["plugin off", "no directory"])
def test_without_allure_nothing_changes(project: Path, arguments: tuple[str, ...]) -> None:
    """The checks run as well when nobody wants Allure results."""
    done = run(project, *arguments)
    assert done.returncode == 0
    assert "5 passed, 1 skipped" in done.stdout


def test_checks_without_a_result_are_given_one(report: BuildReport, tmp_path: Path) -> None:
    """What never ran appears as broken or skipped, once, with the reason; what has a result is left alone."""
    verdict = read_verdict(report("NO-GO") / "verdict.json")
    directory = tmp_path / "results"
    directory.mkdir()
    labels = {"feature": "precutover", "story": "ttl-is-low", "subject": SHOP}
    own = {"uuid": "1", "name": "own", "labels": [{"name": name, "value": value} for name, value in labels.items()]}
    (directory / "1-result.json").write_text(json.dumps(own))
    (directory / "2-result.json").write_text('{"half')
    assert allure.missing_results(directory, verdict) == len(verdict.checks) - 1
    assert allure.missing_results(directory, verdict) == 0
    (directory / "2-result.json").unlink()
    found = {
        (r["name"], r["status"]): r
        for path in directory.glob("*-result.json")
        if (r := json.loads(path.read_bytes())).get("status")
    }
    late = found["Every resolver shows the new record [shop.example.test]", "skipped"]
    assert "not reached: gate precutover is not open" in late["statusDetails"]["message"]
    assert ("The smoke test passes on the generated host [web.home]", "broken") in found


def test_side_files(report: BuildReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, executor and categories tell the run from others, and outcomes from each other."""
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)
    monkeypatch.setenv("CI_JOB_URL", "https://ci.example.test/jobs/7")
    monkeypatch.setenv("CI_JOB_NAME", "precutover")
    allure.write_side_files(tmp_path, read_verdict(report("NO-GO") / "verdict.json"))
    lines = (tmp_path / "environment.properties").read_text("ascii").splitlines()
    assert {"migration=shop", "verdict=NO-GO", "rehearsal=yes"} <= set(lines)
    executor = json.loads((tmp_path / "executor.json").read_bytes())
    assert (executor["type"], executor["buildUrl"]) == ("gitlab", "https://ci.example.test/jobs/7")
    assert executor["reportName"] == "shop: NO-GO"
    categories = {one["name"]: one for one in json.loads((tmp_path / "categories.json").read_bytes())}
    assert categories["Not reached"]["matchedStatuses"] == ["skipped"]
    assert set(categories) >= {"Findings", "Could not look", "Not reached", "Waived", "Too early", "Not run"}
