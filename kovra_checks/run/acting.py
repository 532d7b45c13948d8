"""Performs one action: plan, intent in the ledger, apply, verify, outcome in the ledger.

An action is never applied twice by accident and never retried blindly. If an earlier run died inside it, the world is
looked at first: when the effect is there it is adopted, otherwise the action is completed from a fresh plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kovra_checks.actions.base import Action, Plan, checksum
from kovra_checks.errors import ActionFailed, KovraChecksError, UnsafePlan
from kovra_checks.ledger import History, Ledger
from kovra_checks.run.context import Run, action_id

__all__ = ["perform"]

Told = dict[str, Any]


def perform(run: Run, action: Action) -> Told:
    """Plan *action* and, if this run applies, apply and verify it.

    Returns what the report says of it: id, stage, state (planned, applied, failed), steps, started, ended, message,
    checksum.
    """
    told: Told = {
        "id": action_id(action), "stage": action.stage, "state": "planned", "steps": [], "checksum": "",
        "started": _now(), "ended": None, "message": "",
    }  # fmt: skip
    try:
        _perform(run, action, told)
    except KovraChecksError as problem:
        told |= {"state": "failed", "message": f"{told['id']} failed\n  - {problem.tried}: {problem.seen}\n"
                 f"  what to do: {problem.remedy}"}  # fmt: skip
    told["ended"] = _now()
    masked: Told = run.secrets.mask_all(told)
    return masked


def _perform(run: Run, action: Action, told: Told) -> None:
    ledger = run.ledger
    assert ledger is not None, "a replay performs no action"
    history = History(ledger.entries())
    done = history.applied(told["id"])
    if done is not None and run.settings.apply and not action.verify(run.access, done.facts):
        told |= {"state": "applied", "message": f"applied at {done.at}, its effect still stands"}
        return
    plan = action.plan(run.access)
    told["steps"] = [{"what": step.what, "old": step.old, "new": step.new} for step in plan.steps]
    told["checksum"] = checksum([plan])
    told["message"] = plan.note
    if not run.settings.apply:
        return
    _refuse_unless_allowed(run, action, history)
    _apply(run, ledger, action, plan, told)


def _refuse_unless_allowed(run: Run, action: Action, history: History) -> None:
    policy, digest = run.migration.policy, run.migration.digest
    now = datetime.now(UTC)
    closed = history.closed_before(
        action.stage, digest=digest, rehearsal=run.settings.rehearsal, max_age=policy.evidence_max_age, now=now
    )
    if closed:
        raise UnsafePlan(
            f"apply {action_id(action)}",
            seen="an earlier gate does not stand open: " + "; ".join(closed),
            remedy=f"look at it first: kovra-checks run {closed[0].split(':')[0]}, until it says GO",
        )
    if action.stage in policy.approvals:
        missing = history.unapproved_reason(action.stage, digest=digest, max_age=policy.evidence_max_age, now=now)
        if missing is not None:
            raise UnsafePlan(
                f"apply {action_id(action)}",
                seen=f"policy.approvals asks for an approval, and there is none in force: {missing}",
                remedy=f'somebody who may must approve it: kovra-checks approve {action.stage} --by NAME --reason "…"',
            )
    _hold_to_reviewed_plan(run, action)


def _hold_to_reviewed_plan(run: Run, action: Action) -> None:
    """`--plan SHA` pins the plans of the whole stage, as they are before its first action changes anything."""
    pin = run.settings.pin
    if not pin or run.journal.read("plan-held") == action.stage:
        return
    found = checksum([one.plan(run.access) for one in run.actions(action.stage)])
    if found != pin:
        raise UnsafePlan(
            f"apply the reviewed plan of {action.stage}",
            seen=f"checksum now ({found}) == reviewed ({pin}) does not hold: world or configuration have changed",
            remedy=f"review it again (kovra-checks plan {action.stage}) and pass the new checksum with --plan",
        )
    run.journal.write("plan-held", action.stage)


def _apply(run: Run, ledger: Ledger, action: Action, plan: Plan, told: Told) -> None:
    intent = {"action": told["id"], "stage": action.stage, "steps": told["steps"], "undo": dict(plan.undo),
              "checksum": told["checksum"]}  # fmt: skip
    _write(run, ledger, "intent", intent)
    progress = run.progress(told["id"])
    try:
        facts = action.apply(run.access, plan, progress)
        left = action.verify(run.access, facts)
        if left:
            raise ActionFailed(
                f"verify {told['id']}",
                seen="; ".join(finding.message for finding in left),
                remedy=next((finding.remedy for finding in left if finding.remedy), "look at the system by hand"),
            )
    except KovraChecksError as problem:
        _outcome(run, ledger, action, "failed", {}, str(problem))
        raise
    _outcome(run, ledger, action, "applied", facts, "")
    told |= {"state": "applied"}


def _outcome(run: Run, ledger: Ledger, action: Action, state: str, facts: Mapping[str, Any], message: str) -> None:
    body = {
        "action": action_id(action),
        "stage": action.stage,
        "state": state,
        "facts": dict(facts),
        "message": message,
    }
    _write(run, ledger, "outcome", body)
    run.hook.pytest_kovra_action_finished(action=action_id(action), state=state, facts=facts)


def _write(run: Run, ledger: Ledger, kind: str, body: dict[str, Any]) -> None:
    ledger.append(kind, run.secrets.mask_all(body), run=run.settings.run_id, lease=run.lease)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
