"""Has the change arrived everywhere?"""

from __future__ import annotations

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import Watched, Watcher
from kovra_checks.outcome import Finding
from kovra_checks.units import format_duration

__all__ = ["has_arrived"]


def has_arrived(watched: Watched) -> list[Finding]:
    """Every authoritative server and every resolver showed the new record at its last look.

    Raises CouldNotLook if all that were seen show it, but one could not be seen at the end.
    """
    late = [watcher for watcher in watched.watchers if not watched.shows(watcher.last)]
    findings = [_late(watched, watcher) for watcher in late if watcher.last.error is None]
    if late and not findings:
        unseen = late[0]
        raise CouldNotLook(
            f"see {watched.name} at {unseen.kind} {unseen.server} at the end of the watch",
            seen=f"{unseen.last.error}",
            remedy="see whether it is up; a resolver of no concern can be taken out of `resolvers`",
        )
    return findings


def _late(watched: Watched, watcher: Watcher) -> Finding:
    shown = " ".join(watcher.last.values) or "no record"
    wanted = " ".join(watched.wanted) or "addresses of the target (none)"
    looks = f"{len(watcher.samples)} looks in {format_duration(watched.took)}"
    where = "nameserver" if watcher.kind == "authoritative" else "resolver"
    remedy = ""
    if watched.ended == "settled-elsewhere":
        remedy = "All nameservers agree on something that is neither the old nor the new record: correct the record."
    return Finding(f"{watched.name} at {where} {watcher.server} ({shown}) == {wanted}, {looks}", remedy=remedy)
