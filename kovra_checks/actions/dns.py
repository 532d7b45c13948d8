"""Changes to the domains' records: lower the TTL, swap the record, restore the TTL.

A domain without provider is changed by hand: it has no actions, and the checks look at what the hands did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from kovra_checks.access import Access
from kovra_checks.actions.base import Action, Plan, Progress, Step
from kovra_checks.dns_providers.manual import instructions
from kovra_checks.errors import ActionFailed, CouldNotLook, UnsafePlan
from kovra_checks.migration import Domain, Migration
from kovra_checks.observations.dns import SERVING_TYPES, record_type, target_values
from kovra_checks.outcome import Finding
from kovra_checks.probes.dns_zone import survey
from kovra_checks.protocols import DnsProvider, RecordChange, RecordSet
from kovra_checks.rules import records as rules
from kovra_checks.rules import ttl
from kovra_checks.waiting import wait_for

__all__ = ["LowerTtl", "RestoreTtl", "SwapRecord", "actions"]

Records = tuple[RecordSet, ...]


def _provider(access: Access, domain: Domain) -> DnsProvider:
    assert domain.provider is not None  # domains without one have no actions
    return access.dns(domain.provider)


def _text(records: Iterable[RecordSet]) -> str:
    return "; ".join(f"{each.type} {each.ttl} {' '.join(each.values)}" for each in records) or "none"


def _dump(records: Records) -> list[dict[str, Any]]:
    return [{"name": each.name, "type": each.type, "ttl": each.ttl, "values": list(each.values)} for each in records]


def _load(data: Mapping[str, Any]) -> Records:
    return tuple(
        RecordSet(each["name"], each["type"], int(each["ttl"]), tuple(each["values"])) for each in data["records"]
    )


def _serving(records: Records) -> Records:
    """What leads users to an app; MX and the like at the same name are none of our business."""
    return tuple(each for each in records if each.type in SERVING_TYPES)


def _differences(access: Access, domain: Domain, wanted: Records) -> list[Finding]:
    """How authoritative servers differ from *wanted*, TTLs included. Raises CouldNotLook."""
    view = survey(access, domain.zone, domain.name)
    findings = []
    for server in view.servers:
        held = tuple(RecordSet(each.name, each.type, each.ttl, each.values) for each in server.serving)
        reason = server.error if server.error is not None else server.lame
        if reason is not None or set(held) != set(wanted):
            shown = _text(held) if reason is None else reason
            findings.append(Finding(f"{domain.name} at {server.nameserver} ({shown}) == {_text(wanted)}"))
    return findings


def _put(access: Access, domain: Domain, before: Records, after: Records, progress: Progress) -> None:
    """Change the records and wait until every authoritative server shows it. Raises ActionFailed."""
    change = RecordChange(domain.name, before=before, after=after)
    if set(before) != set(after):
        progress(f"{domain.provider}: {instructions(change)}")
        _provider(access, domain).change(domain.zone, change)
    left: list[Finding] = []

    def everywhere() -> bool | None:
        try:
            left[:] = _differences(access, domain, after)
        except CouldNotLook as error:
            left[:] = [Finding(str(error))]
        return None if left else True

    progress(f"waiting until every nameserver of {domain.zone} shows it")
    if wait_for(everywhere, deadline=access.migration.policy.action_deadline.total_seconds()) is None:
        raise ActionFailed(
            f"see the change of {domain.name} at every nameserver of {domain.zone}",
            seen="; ".join(finding.message for finding in left),
            remedy="the primary has the change: see why a secondary does not follow (NOTIFY, transfer), then resume",
        )


@dataclass(frozen=True, slots=True)
class _RecordAction:
    """What the three have in common: the subject, and an undo that puts the old record sets back."""

    domain: Domain

    @property
    def subject(self) -> str:
        """The domain."""
        return self.domain.name

    def _current(self, access: Access) -> Records:
        """What is there now. Raises UnsafePlan if there is nothing that could be changed, CouldNotLook."""
        current = _provider(access, self.domain).current(self.domain.zone, self.domain.name)
        if not _serving(current):
            raise UnsafePlan(
                f"plan a change of {self.domain.name}",
                seen=f"the zone {self.domain.zone} holds no record there",
                remedy="correct domains.<name>.zone or create the record that leads to the source first",
            )
        return current

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Put the old record sets back, whatever stands there now. Nothing to do if they still stand."""
        old = _load(undo)
        now = _serving(_provider(access, self.domain).current(self.domain.zone, self.domain.name))
        _put(access, self.domain, now, old, progress)


def _ttl_plan(action: str, current: Records, wanted: Records) -> Plan:
    """Steps for each record set whose TTL is to change; none if all are as wanted."""
    steps = tuple(
        Step(f"{old.name} {old.type} TTL", str(old.ttl), str(new.ttl))
        for old, new in zip(current, wanted, strict=True)
        if old != new
    )
    return Plan(action, steps, {"records": _dump(current)})


@dataclass(frozen=True, slots=True)
class LowerTtl(_RecordAction):
    """Lower the TTL to `policy.low_ttl`, so that the swap is seen soon. The old TTL must then pass before the swap."""

    name: ClassVar[str] = "lower-ttl"
    stage: ClassVar[str] = "precutover"

    def _wanted(self, access: Access, current: Records) -> Records:
        return tuple(replace(each, ttl=min(each.ttl, access.migration.policy.low_ttl)) for each in current)

    def plan(self, access: Access) -> Plan:
        """The TTLs that change."""
        current = _serving(self._current(access))
        return _ttl_plan(f"{self.name}[{self.subject}]", current, self._wanted(access, current))

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Lower it everywhere.

        Facts: `old_ttl` in seconds, None if it was low already (then nobody here knows what it was); `lowered_at`, the
        moment at which every nameserver had been seen with the low TTL.
        """
        before = _load(plan.undo)
        _put(access, self.domain, before, self._wanted(access, before), progress)
        old_ttl = max(each.ttl for each in before) if plan.steps else None
        return {"old_ttl": old_ttl, "lowered_at": datetime.now(UTC).isoformat()}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The TTL is low at every authoritative server."""
        del facts
        view = survey(access, self.domain.zone, self.domain.name)
        return ttl.is_low(view, ceiling=access.migration.policy.low_ttl)


@dataclass(frozen=True, slots=True)
class SwapRecord(_RecordAction):
    """Lead the domain to the target: CNAME for a host name, A or AAAA for an address. The TTL stays low."""

    name: ClassVar[str] = "swap-record"
    stage: ClassVar[str] = "cutover"

    def _wanted(self, before: Records) -> Records:
        target = self.domain.target
        lowest = min(each.ttl for each in before)
        return (RecordSet(self.subject, record_type(target), lowest, target_values(target)),)

    def plan(self, access: Access) -> Plan:
        """The swap. Raises UnsafePlan if anything but the one expected record set would be touched."""
        current = self._current(access)
        serving = _serving(current)
        wanted = self._wanted(serving)
        if serving != wanted:
            self._refuse_surprises(current, wanted[0])
        step = Step(f"{self.subject} in {self.domain.zone}", _text(serving), _text(wanted))
        action = f"{self.name}[{self.subject}]"
        return Plan(action, () if serving == wanted else (step,), {"records": _dump(serving)})

    def _refuse_surprises(self, current: Records, wanted: RecordSet) -> None:
        if wanted.type == "CNAME" and self.subject == self.domain.zone:
            raise UnsafePlan(
                f"plan the swap of {self.subject}",
                seen="it is the apex of its zone, which cannot hold a CNAME",
                remedy="use an ALIAS/ANAME at your DNS host and swap by hand, or have an address as target",
            )
        old = self.domain.source_target
        held = _serving(current)
        expected = len(held) == 1 and held[0].type == record_type(old) and {*target_values(old)} <= {*held[0].values}
        beside = [each.type for each in current if each.type not in SERVING_TYPES and wanted.type == "CNAME"]
        if not expected or beside:
            raise UnsafePlan(
                f"plan the swap of {self.subject}",
                seen=f"it holds {_text(current)}, and not only {record_type(old)} {old}",
                remedy="remove what does not belong there by hand (zone-is-ready names it), or correct source_target",
            )

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Facts: `swapped_at`, the moment at which every nameserver had been seen with the new record; `old_ttl`."""
        before = _load(plan.undo)
        _put(access, self.domain, before, self._wanted(before), progress)
        old_ttl = max(each.ttl for each in before)
        return {"old_ttl": old_ttl, "swapped_at": datetime.now(UTC).isoformat(), "target": self.domain.target}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """Every authoritative server leads to the target."""
        del facts
        view = survey(access, self.domain.zone, self.domain.name)
        rules.require_seen(view)
        target = self.domain.target
        return rules.shows_target(view, kind=record_type(target), values=target_values(target))


@dataclass(frozen=True, slots=True)
class RestoreTtl(_RecordAction):
    """Raise the TTL to `policy.restored_ttl` once nobody means to go back."""

    name: ClassVar[str] = "restore-ttl"
    stage: ClassVar[str] = "decommission"

    def _wanted(self, access: Access, current: Records) -> Records:
        return tuple(replace(each, ttl=max(each.ttl, access.migration.policy.restored_ttl)) for each in current)

    def plan(self, access: Access) -> Plan:
        """The TTLs that change."""
        current = _serving(self._current(access))
        return _ttl_plan(f"{self.name}[{self.subject}]", current, self._wanted(access, current))

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Facts: `restored_at`."""
        before = _load(plan.undo)
        _put(access, self.domain, before, self._wanted(access, before), progress)
        return {"restored_at": datetime.now(UTC).isoformat()}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The TTL is back at every authoritative server."""
        del facts
        view = survey(access, self.domain.zone, self.domain.name)
        return ttl.is_restored(view, floor=access.migration.policy.restored_ttl)


def actions(migration: Migration, stage: str) -> tuple[Action, ...]:
    """The DNS actions of *stage*, by domain name."""
    kinds = (LowerTtl, SwapRecord, RestoreTtl)
    return tuple(
        kind(domain)
        for kind in kinds
        if kind.stage == stage
        for domain in sorted(migration.domains, key=lambda domain: domain.name)
        if domain.provider is not None
    )
