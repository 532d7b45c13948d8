"""Each DNS fault is noticed by exactly the checks it names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from fix_dns import AccessMaker, LedgerOf, run_check

from kovra_checks.access import Access, ActionRecord
from kovra_checks.actions.base import Action
from kovra_checks.actions.dns import actions
from kovra_checks.checklist.dns import CHECKS
from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.lab.faults.base import Fault
from kovra_checks.lab.faults.dns import FAULTS
from kovra_checks.lab.world import World
from kovra_checks.stages import STAGES
from kovra_checks.waiting import pause

PATIENCE = timedelta(seconds=8)
STAGE_CHECKS = {stage: [each.id for each in CHECKS if each.implemented and stage in each.stages] for stage in STAGES}


def perform(action: Action, access: Access) -> None:
    """Apply an action and keep its record, as the engine does."""
    facts = action.apply(access, action.plan(access), _quiet)
    name = f"{action.name}[{action.subject}]"
    at = str(next(iter(value for key, value in facts.items() if key.endswith("_at"))))
    cast("LedgerOf", access.records)[name] = ActionRecord(name, at, facts)


def _quiet(line: str) -> None:
    del line


def told(stage: str, check_id: str, access: Access) -> str:
    """What the check and its checklist entry say; nothing if it passes, at once or by the moment it names itself."""
    entry = next(each for each in CHECKS if each.id == check_id)
    try:
        findings = run_check(stage, check_id, access)
        untils = [finding.until for finding in findings if finding.until is not None]
        if untils and len(untils) == len(findings) and (left := max(untils) - datetime.now(UTC)) < PATIENCE:
            pause(max(0.0, left.total_seconds()))
            findings = run_check(stage, check_id, access)
    except CouldNotLook as broken:
        return f"{broken} {entry.remedy}"
    return " ".join(f"{finding.message} {finding.remedy} {entry.remedy}" for finding in findings)


def go_to(stage: str, access: Access, fault: Fault | None, world: World) -> None:
    """Act through the stages up to *stage*; the fault breaks the lab at its moment."""
    for each in STAGES[: STAGES.index(stage) + 1]:
        if fault is not None and each == stage and fault.moment == "before-actions":
            fault.inject(world)
        for action in actions(access.migration, each):
            perform(action, access)
        if fault is not None and each == stage and fault.moment == "before-observing":
            fault.inject(world)


def world_of(lab: DnsLab) -> World:
    """As much of a world as DNS faults touch."""
    return cast("World", SimpleNamespace(dns=lab, addresses=lab.addresses))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_noticed_by_its_checks_alone(fault: Fault, dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The named checks fail or break and say what to do; the stage's other DNS checks pass."""
    access = dns_access(records=LedgerOf(), policy={"action_deadline": timedelta(seconds=5)})
    go_to(fault.stage, access, fault, world_of(dns_lab))
    said = {check: text for check in STAGE_CHECKS[fault.stage] if (text := told(fault.stage, check, access))}
    assert set(said) == set(fault.checks)
    assert all(fault.remedy in text for text in said.values()) or len(said) > 1
    assert any(fault.remedy in text for text in said.values())


@pytest.mark.parametrize("stage", ["pitfalls", "precutover", "cutover", "decommission"])
def test_nothing_is_noticed_where_nothing_is_broken(stage: str, dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Every DNS check of a stage passes once its actions are done and the old TTL has run out."""
    access = dns_access(records=LedgerOf())
    go_to(stage, access, None, world_of(dns_lab))
    assert {check: told(stage, check, access) for check in STAGE_CHECKS[stage]} == dict.fromkeys(
        STAGE_CHECKS[stage], ""
    )


def test_faults_name_checks_of_their_stage() -> None:
    """A fault can only be noticed by checks that its stage has."""
    for fault in FAULTS:
        assert set(fault.checks) <= set(STAGE_CHECKS[fault.stage]), fault.name


def test_way_back_needs_the_source_name(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Without addresses behind the source's name there is nowhere to roll back to."""
    dns_lab.set_record("herokudns.test", "quiet-pine-1234.herokudns.test", "A", 0, [])
    findings = run_check("precutover", "rollback-is-ready", dns_access())
    assert len(findings) == 3
    assert "quiet-pine-1234.herokudns.test addresses at resolver" in findings[0].message
