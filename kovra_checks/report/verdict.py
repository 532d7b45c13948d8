"""`reports/verdict.json`: the authority on how a run ended, in a versioned schema.

Everything else in `reports/` is a view of it. A field is added without a new version; one that is renamed, removed or
given another meaning makes a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jsonschema
from pydantic import ValidationError

from kovra_checks.actions.base import Step
from kovra_checks.checklist.spec import Severity
from kovra_checks.errors import EvidenceError
from kovra_checks.gate import ActionState, CheckOutcome, GateState
from kovra_checks.migration import Waiver
from kovra_checks.outcome import adapter, as_json
from kovra_checks.report.evidence import write_atomically

__all__ = [
    "EXIT_CODES", "FILE", "ActionVerdict", "CheckVerdict", "StageVerdict", "TrafficCount", "Verdict", "VerdictWord",
    "read_verdict", "schema", "write_verdict",
]  # fmt: skip

FILE = "verdict.json"
VerdictWord = Literal["GO", "NO-GO", "INCONCLUSIVE", "ROLLED-BACK", "STOPPED", "UNKNOWN"]
EXIT_CODES: Mapping[VerdictWord, int] = {
    "GO": 0, "NO-GO": 10, "STOPPED": 11, "UNKNOWN": 12, "ROLLED-BACK": 13, "INCONCLUSIVE": 14,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """One stage of the scope.

    Attributes:
        name: The stage.
        gate: Its gate's decision; `not-reached` if an earlier gate was not open.
        reasons: Why it is not GO, complete; empty for GO.
        expected: How many checks had to report, by configuration and checklist.
        executed: How many did.
        started: When the stage began; null if it was not reached.
        ended: When its gate was decided; null if it was not.
    """

    name: str
    gate: GateState | Literal["not-reached"]
    reasons: tuple[str, ...]
    expected: int
    executed: int
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """One expected check: every one has an entry, whether it ran or not.

    Attributes:
        id: Check id without its subject, e.g. `ttl-is-low`.
        subject: What it is about, e.g. `shop.example.com`.
        stage: The stage whose gate it belongs to.
        title: What is true when it passes.
        severity: blocker, critical or normal.
        outcome: What it came to. `broken`: it could not look, or it is too early.
        findings: Expected and observed, one line each; for `broken` why it could not look.
        remedy: What to do about it.
        guide: The item of the migration guide it proves.
        took: Seconds from putting its questions to its outcome; null if it did not run.
        until: When it may pass at the earliest, if only time is missing.
    """

    id: str
    subject: str
    stage: str
    title: str
    severity: Severity
    outcome: CheckOutcome
    findings: tuple[str, ...]
    remedy: str
    guide: str
    took: float | None
    until: datetime | None

    @property
    def full_id(self) -> str:
        """`id[subject]`: how waivers, gates and the ledger name it."""
        return f"{self.id}[{self.subject}]"


@dataclass(frozen=True, slots=True)
class ActionVerdict:
    """One action of the scope.

    Attributes:
        id: Action id with its subject, e.g. `swap-record[shop.example.com]`.
        stage: The stage that owns it.
        state: What it came to.
        steps: What it changed, or would change: what, from old to new.
        started: When it began to change the world; null if it did not.
        ended: When its effect was verified, or it failed, or (state `undone`) it was undone; null if it has no end.
        message: Why it failed, or a note of its plan; may be empty.
        checksum: Of its own plan. What `--apply --plan` takes is the one over all plans of the stage.
    """

    id: str
    stage: str
    state: ActionState
    steps: tuple[Step, ...]
    started: datetime | None
    ended: datetime | None
    message: str
    checksum: str


@dataclass(frozen=True, slots=True)
class TrafficCount:
    """What the traffic watch counted during the run.

    Attributes:
        requests: All of them.
        failed: Not answered as they should.
        deferred: Writes that the fence told to come back, and that were repeated until they were taken.
        source: Answered by the old side.
        target: Answered by the new side.
    """

    requests: int
    failed: int
    deferred: int
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended.

    Attributes:
        version: Of this schema.
        migration: Name of the migration.
        config_digest: SHA-256 of its configuration.
        run_id: Of this run, as in the ledger.
        rehearsal: Whether it ran in the lab; such a verdict says nothing of the real move.
        scope: The stages that were asked for, in order.
        verdict: The word. Only GO is go.
        exit_code: Of the process: 0 exactly for GO; 1-6 are pytest's own (interrupted, usage error, ...).
        started: When the run began.
        ended: When the verdict was reached.
        until: INCONCLUSIVE only: when it may be GO at the earliest, if nothing but time is missing.
        stages: The stages of the scope, in order.
        checks: Every expected check of the scope, by stage and id.
        actions: The actions of the scope, in order.
        waivers: Those the configuration holds, used or not.
        traffic: Null if no traffic was watched.
    """

    version: Literal[1]
    migration: str
    config_digest: str
    run_id: str
    rehearsal: bool
    scope: tuple[str, ...]
    verdict: VerdictWord
    exit_code: int
    started: datetime
    ended: datetime
    until: datetime | None
    stages: tuple[StageVerdict, ...]
    checks: tuple[CheckVerdict, ...]
    actions: tuple[ActionVerdict, ...]
    waivers: tuple[Waiver, ...]
    traffic: TrafficCount | None

    def __post_init__(self) -> None:
        if (self.exit_code == 0) != (self.verdict == "GO"):
            raise ValueError(f"exit code ({self.exit_code}) == 0 exactly if the verdict ({self.verdict}) == GO")


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema (draft 2020-12) of verdict.json, as published in `verdict.schema.json`."""
    text = files("kovra_checks.report").joinpath("verdict.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Replace *path* with *verdict*, in one go, once it fits the schema.

    Raises:
        jsonschema.ValidationError: It does not fit: a mistake in the program, and nothing is written.
    """
    data = as_json(verdict)
    jsonschema.validate(data, schema())
    write_atomically(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def read_verdict(path: Path) -> Verdict:
    """The verdict in *path*. Raises EvidenceError if there is none, or it is of another version or shape."""
    try:
        data = json.loads(path.read_bytes())
        jsonschema.validate(data, schema())
        verdict: Verdict = adapter(Verdict).validate_python(data)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    except jsonschema.ValidationError as error:
        raise _unreadable(path, f"{error.json_path}: {error.message}") from None
    except ValidationError as error:
        raise _unreadable(path, error.errors()[0]["msg"]) from None
    except ValueError as error:
        raise _unreadable(path, f"not JSON ({error})") from None
    return verdict


def _unreadable(path: Path, seen: str) -> EvidenceError:
    return EvidenceError(
        f"read the verdict {path}",
        seen=seen,
        remedy="run the stage (pytest suites/<stage>), which writes it, or name the folder that holds it",
    )
