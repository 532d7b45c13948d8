"""The verdict of a run: one word, one exit code, and every expected check accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kovra_checks.actions.base import Step
from kovra_checks.checklist import find
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.gate import CheckResult
from kovra_checks.ledger import History
from kovra_checks.report.verdict import (
    EXIT_CODES,
    ActionVerdict,
    CheckVerdict,
    StageVerdict,
    TrafficCount,
    Verdict,
    VerdictWord,
)
from kovra_checks.run.context import Run
from kovra_checks.run.gatekeeper import Gatekeeper
from kovra_checks.suite import spec_of

__all__ = ["Ending", "compose", "word_of"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How the session ended, apart from its gates.

    Attributes:
        pytest_exit: pytest's own exit status (0 and 1 are ours to replace).
        rolled_back: Whether the cutover was undone and the old side looked at again.
    """

    pytest_exit: int
    rolled_back: bool


def word_of(run: Run, keeper: Gatekeeper, ending: Ending) -> VerdictWord:
    """The verdict. What was done to the world outweighs what the gates say."""
    states = [keeper.records[stage].decision for stage in keeper.scope]
    actions = [told for stage in keeper.actions_told().values() for told in stage.values()]
    if _unknown(run, actions):
        return "UNKNOWN"
    if ending.rolled_back:
        return "ROLLED-BACK"
    is_go = bool(states) and all(state is not None and state.is_go for state in states) and ending.pytest_exit in (0, 1)
    if is_go:
        return "GO"
    cutover = keeper.records["cutover"].decision
    is_over = cutover is not None and cutover.is_go  # then nothing is half-way, whatever later stages find
    if not is_over and any(told["stage"] == "cutover" and told["state"] == "applied" for told in actions):
        return "STOPPED"
    return "NO-GO" if any(state is not None and state.state == "NO-GO" for state in states) else "INCONCLUSIVE"


def _unknown(run: Run, actions: list[dict[str, Any]]) -> bool:
    if any(told["state"] == "unknown" for told in actions):
        return True
    return run.ledger is not None and bool(History(run.ledger.entries("intent", "outcome")).unfinished())


def compose(
    run: Run, keeper: Gatekeeper, ending: Ending, *, started: datetime, traffic: TrafficCount | None
) -> Verdict:
    """Everything that verdict.json tells."""
    word = word_of(run, keeper, ending)
    exit_code = ending.pytest_exit if ending.pytest_exit not in (0, 1) else EXIT_CODES[word]
    decisions = [keeper.records[stage].decision for stage in keeper.scope]
    moments = [decision.until for decision in decisions if decision is not None and decision.until is not None]
    return Verdict(
        version=1,
        migration=run.migration.name,
        config_digest=run.migration.digest,
        run_id=run.settings.run_id,
        rehearsal=run.settings.rehearsal,
        scope=tuple(keeper.scope),
        verdict=word,
        exit_code=exit_code,
        started=started,
        ended=datetime.now(UTC),
        until=max(moments) if moments and word == "INCONCLUSIVE" else None,
        stages=tuple(_stage(keeper, stage) for stage in keeper.scope),
        checks=tuple(check for stage in keeper.scope for check in _checks(run, keeper, stage)),
        actions=tuple(_action(told) for stage in keeper.actions_told().values() for told in stage.values()),
        waivers=run.migration.waivers,
        traffic=traffic,
    )


def _stage(keeper: Gatekeeper, stage: str) -> StageVerdict:
    record, evidence = keeper.records[stage], keeper.evidence(stage)
    executed = [r for r in evidence.results.values() if r.outcome not in ("not-run", "not-reached")]
    reached = bool(executed) or any(told["state"] != "not-reached" for told in record.actions.values())
    decision = record.decision
    return StageVerdict(
        name=stage,
        gate=decision.state if decision is not None and reached else "not-reached",
        reasons=() if decision is None else decision.reasons,
        expected=len(evidence.expected),
        executed=len(executed),
        started=_moment(record.started),
        ended=_moment(record.ended),
    )


def _checks(run: Run, keeper: Gatekeeper, stage: str) -> Iterator[CheckVerdict]:
    record, evidence = keeper.records[stage], keeper.evidence(stage)
    contributed = {spec.id: spec for spec in map(spec_of, run.contributed) if spec is not None}
    for full_id in evidence.expected:
        name, _, rest = full_id.partition("[")
        spec = (
            contributed.get(name) or find(name) or CheckSpec(name, name, (stage,), "migration", "beyond the guide", "")
        )
        result = evidence.results.get(full_id) or CheckResult(full_id, "not-run", ("no report arrived",))
        told: Mapping[str, Any] = record.told.get(full_id, {})
        yield CheckVerdict(
            id=name,
            subject=rest.removesuffix("]"),
            stage=stage,
            title=spec.title,
            severity=spec.severity,
            outcome=result.outcome,
            findings=result.findings,
            remedy=" ".join(told.get("remedies", ())) or spec.remedy,
            guide=spec.guide,
            took=told.get("took"),
            until=result.until,
        )


def _action(told: Mapping[str, Any]) -> ActionVerdict:
    return ActionVerdict(
        id=told["id"],
        stage=told["stage"],
        state=told["state"],
        steps=tuple(Step(**step) for step in told["steps"]),
        started=_moment(told["started"]),
        ended=_moment(told["ended"]),
        message=told["message"],
        checksum=told["checksum"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
