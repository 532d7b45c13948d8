"""The gatekeeper: gathers what was reported and decides gates. Lives in the controller, or in the only process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from kovra_checks.gate import ActionState, CheckResult, Decision, Evidence
from kovra_checks.outcome import adapter, as_json
from kovra_checks.run.context import Run, action_id
from kovra_checks.run.guard import NOT_REACHED
from kovra_checks.run.items import ACTIONS, OBSERVING, PROPERTY
from kovra_checks.stages import STAGES, position, stage_of

__all__ = ["Gatekeeper", "StageRecord", "check_id_of"]


@dataclass
class StageRecord:
    """What is known of one stage in this run.

    Attributes:
        checks: Result by check id.
        told: What else an item said of its check (remedies, took), by check id.
        actions: What each action item said, by action id.
        collected: Check ids that were collected.
        problems: Why the stage cannot be judged on its checks alone (observing failed, a crash).
        decision: The gate's decision, once made.
    """

    checks: dict[str, CheckResult] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    collected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    decision: Decision | None = None
    started: str | None = None
    ended: str | None = None


def check_id_of(nodeid: str) -> str:
    """The check id in a node id: `…::test_ttl_is_low[shop.example.com]` -> `ttl-is-low[shop.example.com]`."""
    name = nodeid.rsplit("::", 1)[-1]
    head, bracket, subject = name.partition("[")
    return head.removeprefix("test_").replace("_", "-") + bracket + subject


class Gatekeeper:
    """Decides; knows nothing of how items are run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records = {stage: StageRecord() for stage in STAGES}
        self.interrupted: str | None = None

    @property
    def scope(self) -> list[str]:
        """The stages this session was asked for."""
        scope = self.run.journal.read("scope")
        return [] if scope is None else list(scope["stages"])

    def collected(self, nodeids: Iterable[str]) -> None:
        """Called once per process that collected."""
        for nodeid in nodeids:
            stage = stage_of(nodeid)
            if stage is not None and f"/{ACTIONS}::" not in nodeid and f"/{OBSERVING}::" not in nodeid:
                self.records[stage].collected.append(check_id_of(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one report. An item's call phase tells its outcome; a bad setup or teardown spoils it."""
        stage = stage_of(report.nodeid)
        if stage is None:
            return
        record = self.records[stage]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record.started, record.ended = record.started or now, now
        told = dict(report.user_properties).get(PROPERTY)
        data: dict[str, Any] = json.loads(str(told)) if told is not None else {}
        if f"/{ACTIONS}::" in report.nodeid:
            self._action(record, report, data.get("action"))
        elif f"/{OBSERVING}::" in report.nodeid:
            if report.failed:
                record.problems.append(f"observing failed: {str(report.longrepr).splitlines()[-1]}")
        else:
            self._check(record, report, data.get("check"))

    def _check(self, record: StageRecord, report: pytest.TestReport, told: dict[str, Any] | None) -> None:
        check_id = check_id_of(report.nodeid)
        if told is not None and report.when == "call":
            record.checks[check_id] = adapter(CheckResult).validate_python(told["result"])
            record.told[check_id] = told
        elif report.failed:
            message = str(report.longrepr).strip().splitlines()
            record.checks[check_id] = CheckResult(check_id, "broken", (message[-1] if message else "no reason given",))
        elif report.skipped and check_id not in record.checks:
            reason = _skip_reason(report)
            outcome = "not-reached" if NOT_REACHED in reason else "not-run"
            record.checks[check_id] = CheckResult(check_id, outcome, (reason,))  # type: ignore[arg-type]

    def _action(self, record: StageRecord, report: pytest.TestReport, told: dict[str, Any] | None) -> None:
        action = report.nodeid.rsplit("::", 1)[-1]
        if told is not None and report.when == "call":
            record.actions[action] = told
        elif report.failed:
            record.actions[action] = self._blank(
                action, stage_of(report.nodeid), "unknown", str(report.longrepr).strip()
            )
        elif report.skipped and action not in record.actions:
            record.actions[action] = self._blank(action, stage_of(report.nodeid), "not-reached", _skip_reason(report))

    @staticmethod
    def _blank(action: str, stage: str | None, state: ActionState, message: str) -> dict[str, Any]:
        return {
            "id": action, "stage": stage, "state": state, "steps": [], "checksum": "",
            "started": None, "ended": None, "message": message,
        }  # fmt: skip

    def crashed(self, nodeid: str) -> None:
        """A worker died inside *nodeid*; called before anybody is given another item."""
        stage = stage_of(nodeid)
        assert stage is not None
        self.records[stage].problems.append(f"a worker process died while running {nodeid}")
        if f"/{ACTIONS}::" in nodeid:
            self.run.journal.halt(stage, f"the process running {nodeid.rsplit('::', 1)[-1]} died")

    def cross(self, upto: str | None) -> None:
        """Decide every undecided gate of the scope before stage *upto* (None: all)."""
        for stage in self.scope:
            if upto is not None and position(stage) >= position(upto):
                break
            if self.records[stage].decision is None:
                self._decide(stage)

    def _decide(self, stage: str) -> None:
        run, record = self.run, self.records[stage]
        evidence = self.evidence(stage)
        decision: Decision = run.hook.pytest_kovra_decide(stage=stage, evidence=evidence)
        record.decision = decision
        data = dict(as_json(decision))
        if run.ledger is not None:
            body = {"stage": stage, **data, "config_digest": run.migration.digest, "rehearsal": run.settings.rehearsal}
            run.ledger.append("decision", body, run=run.settings.run_id, lease=run.lease)
        run.journal.write(f"gate-{stage}", data)
        self.run.hook.pytest_kovra_gate_decided(stage=stage, decision=decision)

    def evidence(self, stage: str) -> Evidence:
        """All that the gate of *stage* may look at."""
        record = self.records[stage]
        scope = self.run.journal.read("scope") or {"deselected": [], "own": {}}
        expected = tuple(sorted({*self.run.expected(stage), *record.collected, *scope["own"].get(stage, ())}))
        return Evidence(
            expected=expected,
            results=record.checks,
            actions={name: told["state"] for name, told in self._actions(stage).items()},
            deselected=tuple(nodeid for nodeid in scope["deselected"] if stage_of(nodeid) == stage),
            stopped="; ".join(record.problems) or self.interrupted,
        )

    def _actions(self, stage: str) -> dict[str, dict[str, Any]]:
        if self.run.recorded is not None:
            recorded: dict[str, dict[str, dict[str, Any]]] = self.run.recorded.json("actions")
            return recorded.get(stage, {})
        told = dict(self.records[stage].actions)
        if self.run.settings.apply:
            for name in map(action_id, self.run.actions(stage)):
                told.setdefault(name, self._blank(name, stage, "not-reached", "no report arrived"))
        return told

    def actions_told(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What is reported of the actions, by stage of the scope."""
        return {stage: self._actions(stage) for stage in self.scope}


def _skip_reason(report: pytest.TestReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(told).removeprefix("Skipped: ")
