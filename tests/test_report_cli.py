"""`kovra-checks report` and `verify`: thin, with exit codes that a script can trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fix_report import BuildReport

from kovra_checks.cli.main import main
from kovra_checks.report import allure
from kovra_checks.report.allure_html import allure_command
from kovra_checks.report.verdict import read_verdict

ALLURE = """#!/bin/sh
test "$1" = --version && { echo VERSION; exit 0; }
test "$1" = COMMAND || { echo "unexpected $1" >&2; exit 1; }
test "$3" = --output && mkdir -p "$4" && echo "$6" > "$4/index.html"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own, with nothing but system programs on PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


def install(directory: Path, version: str, command: str) -> None:
    """An `allure` that only accepts the command of its version."""
    directory.mkdir(parents=True)
    program = directory / "allure"
    program.write_text(ALLURE.replace("VERSION", version).replace("COMMAND", command))
    program.chmod(0o755)


def test_report_renders_the_summary_again(report: BuildReport, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the path of what it wrote, and says why there is no Allure report."""
    reports = report("GO")
    assert main(["report", "--reports", str(reports)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{reports}/summary.html\n"
    assert "npm install allure" in err
    assert (reports / "summary.html").stat().st_size > 50_000


@pytest.mark.parametrize(
    ("place", "version", "command"),
    [("bin", "3.18.0", "awesome"), ("node_modules/.bin", "2.35.1", "generate")],
    ids=["allure 3 on PATH", "allure 2 of npm"],
)
def test_report_renders_allure_where_it_is(
    report: BuildReport, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, version: str, command: str
) -> None:
    """Both generations of the command are driven their own way, and the old report does not stay behind."""
    install(tmp_path / place, version, command)
    reports = report("GO")
    (reports / "allure-report").mkdir()
    (reports / "allure-report" / "old.html").touch()
    allure.missing_results(reports / "allure-results", read_verdict(reports / "verdict.json"))
    assert main(["report", "--reports", str(reports)]) == 0
    assert capsys.readouterr().out.endswith(f"{reports}/allure-report/index.html\n")
    assert (reports / "allure-report" / "index.html").read_text() == "shop: GO\n"
    assert not (reports / "allure-report" / "old.html").exists()


def test_a_failing_allure_is_told(report: BuildReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own words are shown, and the exit code is not 0."""
    install(tmp_path / "bin", "3.0.0", "something-else")
    reports = report("GO")
    allure.missing_results(reports / "allure-results", read_verdict(reports / "verdict.json"))
    assert main(["report", "--reports", str(reports)]) == 1
    assert "unexpected awesome" in capsys.readouterr().err
    assert allure_command(Path()) is not None


def test_allure_without_results_is_told(
    report: BuildReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder of results makes no empty report that looks like success."""
    install(tmp_path / "bin", "3.0.0", "awesome")
    reports = report("GO")
    (reports / "allure-results").mkdir()
    assert main(["report", "--reports", str(reports)]) == 1
    assert "no results in" in capsys.readouterr().err


def test_report_without_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what is missing and how to get it."""
    assert main(["report"]) == 1
    assert "read the verdict reports/verdict.json: No such file" in capsys.readouterr().err


def test_verify_says_what_it_verified(report: BuildReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hashes always, the signature only with the key, and it says which."""
    evidence = report("GO") / "evidence"
    assert main(["verify", str(evidence)]) == 0
    out = capsys.readouterr().out
    assert "9 files are as sealed at" in out
    assert "not verified: pass --public-key FILE" in out
    public = Ed25519PrivateKey.from_private_bytes(b"\7" * 32).public_key()
    key = tmp_path / "evidence.pub"
    key.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert main(["verify", str(evidence), "--public-key", str(key)]) == 0
    assert "verified" in capsys.readouterr().out


def test_verify_names_what_changed(report: BuildReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed byte, an unreadable key: exit code 1 and the file."""
    evidence = report("GO") / "evidence"
    assert main(["verify", str(evidence), "--public-key", str(tmp_path / "none.pub")]) == 1
    assert "none.pub: No such file" in capsys.readouterr().err
    changed = evidence / "cutover.jsonl"
    changed.write_bytes(changed.read_bytes().replace(b"everywhere", b"Everywhere"))
    assert main(["verify", str(evidence)]) == 1
    assert "cutover.jsonl: SHA-256" in capsys.readouterr().err
