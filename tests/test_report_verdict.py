"""verdict.json: what is written is read back, and what does not fit the schema is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from fix_report import BuildReport, build_report

from kovra_checks.errors import EvidenceError
from kovra_checks.report.schema import generate
from kovra_checks.report.verdict import EXIT_CODES, VerdictWord, read_verdict, schema, write_verdict

WORDS: tuple[VerdictWord, ...] = get_args(VerdictWord)


@pytest.mark.parametrize("word", WORDS)
def test_a_verdict_survives_the_round_trip(tmp_path: Path, word: VerdictWord) -> None:
    """What is read is what was written, for every verdict there is."""
    written = build_report(tmp_path, word)
    assert read_verdict(tmp_path / "verdict.json") == written


def test_the_published_schema_is_that_of_the_types() -> None:
    """The schema file is not edited by hand: `python -m kovra_checks.report.schema` makes it."""
    assert schema() == generate()
    jsonschema.Draft202012Validator.check_schema(dict(schema()))


def test_every_field_is_described() -> None:
    """Consumers read the schema, so each field says what it means."""
    parts = [schema(), *schema()["$defs"].values()]
    silent = [
        f"{part['title']}.{name}"
        for part in parts
        for name, field in part["properties"].items()
        if "description" not in field and part["title"] not in ("Step", "Waiver")
    ]
    assert silent == []


def test_only_zero_is_go(report: BuildReport) -> None:
    """Exit code 0 and GO cannot be separated."""
    verdict = read_verdict(report("GO") / "verdict.json")
    assert [word for word, code in EXIT_CODES.items() if code == 0] == ["GO"]
    with pytest.raises(ValueError, match=r"exit code \(10\) == 0 exactly if"):
        replace(verdict, exit_code=10)
    with pytest.raises(ValueError, match=r"exit code \(0\) == 0 exactly if"):
        replace(verdict, verdict="NO-GO")


def test_a_verdict_that_does_not_fit_is_not_written(report: BuildReport) -> None:
    """A mistake in the program leaves the verdict that is there alone."""
    path = report("GO") / "verdict.json"
    before = path.read_bytes()
    broken = replace(read_verdict(path), verdict="MAYBE", exit_code=1)  # type: ignore[arg-type]
    with pytest.raises(jsonschema.ValidationError, match="MAYBE"):
        write_verdict(path, broken)
    assert path.read_bytes() == before


UNREADABLE: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("another version", lambda data: {**data, "version": 2}, r"\$\.version: 1 was expected"),
    ("an unknown outcome", lambda data: {**data, "verdict": "FINE"}, r"\$\.verdict: 'FINE' is not one of"),
    (
        "a missing field",
        lambda data: {k: v for k, v in data.items() if k != "checks"},
        "'checks' is a required property",
    ),
    ("a code that is not the word's", lambda data: {**data, "exit_code": 0}, "exactly if the verdict"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_what_is_no_verdict_is_refused(
    report: BuildReport, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    """A verdict of another version or shape is named, not guessed at."""
    path = report("NO-GO") / "verdict.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(EvidenceError, match=message):
        read_verdict(path)


def test_no_verdict_at_all(tmp_path: Path) -> None:
    """A missing or torn file says how to get one."""
    with pytest.raises(EvidenceError, match=r"verdict\.json: No such file.*run the stage"):
        read_verdict(tmp_path / "verdict.json")
    (tmp_path / "verdict.json").write_text('{"version":')
    with pytest.raises(EvidenceError, match="not JSON"):
        read_verdict(tmp_path / "verdict.json")
