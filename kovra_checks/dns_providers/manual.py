"""Records changed by a person: says exactly what to do, and waits until it is seen everywhere."""

from __future__ import annotations

from kovra_checks.access import Access
from kovra_checks.errors import ActionFailed, CouldNotLook
from kovra_checks.observations.dns import SERVING_TYPES, ServerView
from kovra_checks.probes.dns_zone import survey
from kovra_checks.protocols import RecordChange, RecordSet
from kovra_checks.units import format_duration
from kovra_checks.waiting import wait_for

__all__ = ["ManualProvider", "instructions"]

EVERY = 0.5  # seconds between looks at the nameservers


def instructions(change: RecordChange) -> str:
    """What a person must do at the DNS host, e.g. `delete a.example.com CNAME x; create a.example.com CNAME 300 y`."""
    gone = [each for each in change.before if each not in change.after]
    new = [each for each in change.after if each not in change.before]
    steps = [f"delete {each.name} {each.type} {' '.join(each.values)}" for each in gone]
    steps += [f"create {each.name} {each.type} {' '.join(each.values)} with TTL {each.ttl}" for each in new]
    return "; ".join(steps)


def _held(server: ServerView) -> tuple[RecordSet, ...]:
    return tuple(RecordSet(each.name, each.type, each.ttl, each.values) for each in server.records)


def _serving(records: tuple[RecordSet, ...]) -> set[RecordSet]:
    return {each for each in records if each.type in SERVING_TYPES}


class ManualProvider:
    """Waits for a person, up to `policy.action_deadline`; changes nothing itself."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def current(self, zone: str, name: str) -> tuple[RecordSet, ...]:
        """What all nameservers of the zone agree on. Raises CouldNotLook if they do not, or one cannot be seen."""
        servers = survey(self._access, zone, name).servers
        for server in servers:
            reason = server.error if server.error is not None else server.lame
            if reason is not None:
                raise CouldNotLook(
                    f"see {name} at {server.nameserver}", seen=reason, remedy="bring the nameserver back first"
                )
        if len({server.records for server in servers}) > 1:
            raise CouldNotLook(
                f"see {name} at the nameservers of {zone}",
                seen="they do not hold the same records",
                remedy="wait until they agree, or see why a secondary does not follow",
            )
        return _held(servers[0])

    def change(self, zone: str, change: RecordChange) -> None:
        """Wait until every nameserver shows `change.after`. Raises ActionFailed with the instructions if none came."""
        deadline = self._access.migration.policy.action_deadline.total_seconds()
        missing = [""]

        def done() -> bool | None:
            view = survey(self._access, zone, change.name)
            missing[:] = [each.server for each in view.servers if _serving(_held(each)) != _serving(change.after)]
            return True if not missing else None

        if wait_for(done, deadline=deadline, every=EVERY) is None:
            raise ActionFailed(
                f"wait {format_duration(deadline)} for {change.name} to be changed by hand",
                seen=f"not yet seen at {', '.join(missing)}",
                remedy=f"at your DNS host: {instructions(change)}; then run this again",
            )
