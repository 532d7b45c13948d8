"""Can the record be swapped, does it lead where it should, is the source forgotten?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import (
    SERVING_TYPES,
    Resolutions,
    ServerView,
    ZoneView,
    record_type,
    same_name,
    target_values,
)
from kovra_checks.outcome import Finding

__all__ = [
    "apex_can_point", "nothing_points_at", "require_seen", "resolves", "servers_agree", "shows_target", "swap_fits",
    "zone_is_ready",
]  # fmt: skip

# Names that the old platforms have one delegate `_acme-challenge` to, beside their hosts in policy.old_hosts.
CHALLENGE_SUFFIXES = (".renderdns.com", ".railwaydns.net")


def require_seen(*views: ZoneView | Resolutions) -> None:
    """Raises CouldNotLook if a server or resolver could not be seen: what is unknown is not fine."""
    for view in views:
        places = view.servers if isinstance(view, ZoneView) else view.views
        for place in places:
            if place.error is not None:
                where = place.server if isinstance(place, ServerView) else place.resolver
                raise CouldNotLook(
                    f"see {view.name} at {where}",
                    seen=place.error,
                    remedy="see whether it is up and whether port 53 (UDP and TCP) is open from here",
                )


def _seen(view: ZoneView) -> list[ServerView]:
    return [server for server in view.servers if server.error is None and server.lame is None]


def servers_agree(view: ZoneView) -> list[Finding]:
    """Every nameserver of the zone answers for it, with one serial and the same records at the name."""
    findings = [
        Finding(f"addresses of nameserver {name} (none) >= 1", remedy="Correct the NS records or the host's address.")
        for name in view.nameless
    ]
    findings += [
        Finding(
            f"{server.nameserver} ({server.server}) answer for {view.zone} ({server.lame}) is authoritative",
            remedy="Have that server load the zone, or take it out of the NS records here and at the registrar.",
        )
        for server in view.servers
        if server.lame is not None
    ]
    seen = _seen(view)
    if len({server.serial for server in seen}) > 1:
        told = ", ".join(f"{server.nameserver}: {server.serial}" for server in seen)
        findings.append(
            Finding(
                f"SOA serials of {view.zone} ({told}) are one and the same",
                remedy="A secondary no longer follows: see its transfers and NOTIFY. Swap only when all agree.",
            )
        )
    if len({server.records for server in seen}) > 1:
        told = "; ".join(f"{server.nameserver}: {_told(server)}" for server in seen)
        findings.append(Finding(f"records at {view.name} ({told}) are the same at every nameserver"))
    return findings


def zone_is_ready(view: ZoneView, parts: Iterable[Iterable[Finding]]) -> list[Finding]:
    """The servers agree, and none of the *parts* finds anything. Raises CouldNotLook if a server could not be seen."""
    findings = [*servers_agree(view), *(finding for part in parts for finding in part)]
    if not findings:
        require_seen(view)
    return findings


def _told(server: ServerView) -> str:
    return ", ".join(f"{each.type} {each.ttl} {' '.join(each.values)}" for each in server.records) or "none"


def swap_fits(view: ZoneView, *, target: str, source_target: str, old_suffixes: Sequence[str] = ()) -> list[Finding]:
    """The name holds exactly the record that is to be swapped, and nothing that would outlive or forbid the new one."""
    findings: dict[str, Finding] = {}
    for server in _seen(view):
        misfits = _misfits(view, server, target, source_target)
        for finding in (*misfits, *_hijacked(server, (*old_suffixes, *CHALLENGE_SUFFIXES, f".{source_target}"))):
            findings.setdefault(finding.message, finding)  # servers that agree say it once
    return list(findings.values())


def _misfits(view: ZoneView, server: ServerView, target: str, source_target: str) -> Iterable[Finding]:
    wanted, held = record_type(target), record_type(source_target)
    kinds = {records.type for records in server.records}
    expected = {(held, target_values(source_target)), (wanted, target_values(target))}
    main = [records for records in server.serving if (records.type, records.values) in expected]
    main += [
        each for each in server.serving if each.type == held and set(target_values(source_target)) & {*each.values}
    ]
    flattened = view.name == view.zone and "CNAME" in (wanted, held) and "CNAME" not in kinds
    if not main and not flattened:
        told = _told(server)
        yield Finding(
            f"{view.name} holds ({told}) one of: {held} {source_target}, {wanted} {target}",
            remedy="Correct domains.<name>.source_target or the record; what is not known is not swapped.",
        )
    allowed = {main[0].type} if main else ({"A", "AAAA"} if flattened else set(SERVING_TYPES))
    for leftover in sorted((kinds & set(SERVING_TYPES)) - allowed):
        yield Finding(
            f"{view.name} {leftover} beside the record to be swapped (present) is absent",
            remedy=f"Remove the {leftover} record: it would go on leading users and certificate authorities to the old "
            "side after the swap.",
        )
    if wanted == "CNAME" and not flattened:
        for other in sorted(kinds - set(SERVING_TYPES) - ({"NS"} if view.name == view.zone else set())):
            yield Finding(
                f"{view.name} {other} record (present) is absent: nothing may stand beside a CNAME (RFC 1034, 3.6.2)",
                remedy=f"Move the {other} record to another name, or let an address record lead to the target.",
            )


def _hijacked(server: ServerView, suffixes: tuple[str, ...]) -> Iterable[Finding]:
    challenge = server.challenge
    if challenge is not None and challenge.values[0].endswith(suffixes):
        yield Finding(
            f"{challenge.name} CNAME ({challenge.values[0]}) does not lead to the old platform",
            remedy="Delete it: it hands the new side's DNS-01 challenges to the old platform.",
        )


def apex_can_point(view: ZoneView, source: Resolutions | None, *, target: str, provider: str | None) -> list[Finding]:
    """A zone's apex cannot hold a CNAME (RFC 1912, 2.4); only a provider's ALIAS/ANAME can lead it to a host name.

    That it has one is believed only if today's addresses at the apex are those of the source's host name.
    """
    if view.name != view.zone or record_type(target) != "CNAME":
        return []
    today = {value for server in _seen(view) for each in server.serving if each.type == "A" for value in each.values}
    old = {address for each in source.views for address in each.addresses} if source is not None else set()
    if provider is None and today and today <= old:
        return []
    return [
        Finding(
            f"record at the apex {view.name} that can lead to the host name {target} (none) exists",
            remedy="Use your DNS host's ALIAS/ANAME record and swap it by hand (no provider=), or have an address as "
            "target, or serve the site from a name below the apex.",
        )
    ]


def shows_target(view: ZoneView, *, kind: str, values: Sequence[str]) -> list[Finding]:
    """Every authoritative server holds exactly this record set, and none of another serving type at the name."""
    findings = []
    for server in _seen(view):
        held = {(each.type, each.values) for each in server.serving}
        if held != {(kind, tuple(values))}:
            findings.append(
                Finding(f"{view.name} at {server.nameserver} ({_told(server)}) == {kind} {' '.join(values)}")
            )
    return findings


def resolves(target: Resolutions, source: Resolutions | None) -> list[Finding]:
    """The target has an address at every resolver, and none of the source's."""
    findings = []
    old = {address for view in source.views for address in view.addresses} if source is not None else set()
    for view in target.views:
        if view.error is None and not view.addresses:
            findings.append(Finding(f"{target.name} addresses at resolver {view.resolver} (none, {view.rcode}) >= 1"))
        if shared := sorted(old & set(view.addresses)):
            findings.append(
                Finding(
                    f"{target.name} at resolver {view.resolver} ({', '.join(shared)}) is not an address of the source"
                )
            )
    if not findings:
        require_seen(target)
    return findings


def _leads_to(kind: str, value: str) -> set[str]:
    """Names and addresses in a value: an HTTPS record names a host and may hint at addresses (RFC 9460)."""
    if kind not in ("HTTPS", "SVCB"):
        return {value}
    words = value.split()
    hints = [word.partition("=")[2].strip('"') for word in words[2:] if word.startswith(("ipv4hint=", "ipv6hint="))]
    return {same_name(words[1]), *(address for hint in hints for address in hint.split(","))}


def nothing_points_at(view: ZoneView, users: Resolutions, source: Resolutions, *, source_target: str) -> list[Finding]:
    """No nameserver and no resolver leads the name to the source, by its name or by its addresses."""
    old = {address for each in source.views for address in each.addresses} | set(target_values(source_target))
    findings = [
        Finding(f"{view.name} {each.type} at {server.nameserver} ({value}) is not the source's")
        for server in _seen(view)
        for each in server.serving
        for value in each.values
        if old & _leads_to(each.type, value)
    ]
    findings += [
        Finding(
            f"{users.name} at resolver {each.resolver} ({value}) is not the source's",
            remedy="If the zone is right this copy runs out with its TTL; else correct the record first.",
        )
        for each in users.views
        for value in (*each.chain, *each.addresses)
        if value in old
    ]
    if not findings:
        require_seen(view, users, source)
    return findings
