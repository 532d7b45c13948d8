"""Is the TTL low, has the old one run out everywhere, is it back?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import LowSince, RecordsSeen, Resolutions, ServerView, ZoneView
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.outcome import Finding
from kovra_checks.units import format_duration

__all__ = ["Lowering", "has_aged", "is_low", "is_restored", "lowering"]


def _serving(view: ZoneView) -> list[tuple[ServerView, RecordsSeen]]:
    return [(server, records) for server in view.servers for records in server.serving]


def _unless_unseen(view: ZoneView, findings: list[Finding]) -> list[Finding]:
    """The findings; with none, a server that could not be seen leaves the matter open. Raises CouldNotLook."""
    if not findings:
        for server in view.servers:
            reason = server.error if server.error is not None else server.lame
            if reason is not None:
                raise CouldNotLook(
                    f"see {view.name} at {server.nameserver} ({server.server})",
                    seen=reason,
                    remedy="bring the nameserver back or take it out of the zone's NS records",
                )
        if not _serving(view):
            return [Finding(f"record sets at {view.name} (none) >= 1")]
    return findings


def is_low(view: ZoneView, *, ceiling: int) -> list[Finding]:
    """Every authoritative server gives the record at most *ceiling* seconds."""
    findings = [
        Finding(f"{view.name} {records.type} TTL at {server.nameserver} ({records.ttl}) <= {ceiling}")
        for server, records in _serving(view)
        if records.ttl > ceiling
    ]
    return _unless_unseen(view, findings)


def is_restored(view: ZoneView, *, floor: int) -> list[Finding]:
    """Every authoritative server gives the record at least *floor* seconds again."""
    findings = [
        Finding(f"{view.name} {records.type} TTL at {server.nameserver} ({records.ttl}) >= {floor}")
        for server, records in _serving(view)
        if records.ttl < floor
    ]
    return _unless_unseen(view, findings)


@dataclass(frozen=True, slots=True)
class Lowering:
    """When the TTL became low, what it was before, and who says so.

    Attributes:
        at: The moment from which no server gave out the old TTL.
        old_ttl: Seconds that copies made before may live.
        witness: In words, for the message.
    """

    at: datetime
    old_ttl: int
    witness: str


def lowering(applied: AppliedAction, history: LowSince, *, assumed: int) -> Lowering | None:
    """What is known of the lowering; None if nothing is.

    The ledger's record of `lower-ttl` says both the moment and the old TTL. If the action found the TTL low already, or
    was never run, somebody's hands did it: then the moment is when it was first *seen* low, and *assumed* (the normal
    TTL) stands for the old one. That is later than the truth, never earlier.
    """
    if applied.applied and applied.at is not None:
        at = _moment(applied.facts.get("lowered_at"), applied.at)
        old_ttl = applied.facts.get("old_ttl")
        if isinstance(old_ttl, int):
            return Lowering(at, old_ttl, f"lowered from {old_ttl}")
        first = at if history.since is None else min(at, history.since)
        return Lowering(first, assumed, f"first seen low, taken to have been {assumed} before")
    if history.since is not None:
        return Lowering(history.since, assumed, f"lowered by hand: first seen low, taken to have been {assumed} before")
    return None


def _moment(text: object, otherwise: datetime) -> datetime:
    if not isinstance(text, str):
        return otherwise
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def has_aged(
    view: ZoneView, resolvers: Resolutions, lowered: Lowering | None, *, seen_at: datetime, ceiling: int
) -> list[Finding]:
    """Copies with the old TTL have run out: its length has passed since the lowering, and no resolver shows more."""
    high = [records.ttl for _, records in _serving(view) if records.ttl > ceiling]
    if high:
        return [
            Finding(
                f"{view.name} TTL at its own nameservers ({max(high)}) <= {ceiling}: old copies are still being made",
                remedy="Lower the TTL first; the old one counts from then on.",
            )
        ]
    findings = _unless_unseen(view, _copies(resolvers, seen_at, ceiling))
    if lowered is None:
        return [*findings, Finding(f"moment at which the TTL of {view.name} was lowered (unknown) is known")]
    until = lowered.at + timedelta(seconds=lowered.old_ttl)
    if seen_at < until:
        age = format_duration(max(seen_at - lowered.at, timedelta(0)))
        findings.append(
            Finding(
                f"{view.name}: time since the TTL was lowered ({age}; {lowered.witness}) >= {lowered.old_ttl}s",
                remedy=f"Wait until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.",
                until=until,
            )
        )
    return findings


def _copies(resolvers: Resolutions, seen_at: datetime, ceiling: int) -> list[Finding]:
    return [
        Finding(
            f"{resolvers.name} TTL left at resolver {view.resolver} ({view.ttl}) <= {ceiling}",
            remedy="An old copy lives there; it runs out by itself.",
            until=seen_at + timedelta(seconds=view.ttl),
        )
        for view in resolvers.views
        if view.ttl is not None and view.ttl > ceiling
    ]
