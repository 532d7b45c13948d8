"""May the wanted authority issue a certificate for the name? RFC 8659."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from kovra_checks.observations.dns import CaaSeen, RecordsSeen, ZoneView
from kovra_checks.outcome import Finding

__all__ = ["allows_issuer", "parents"]

CRITICAL = 128
KNOWN = ("issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone")


@dataclass(frozen=True, slots=True)
class _Property:
    critical: bool
    tag: str
    value: str


def parents(zone: str) -> tuple[str, ...]:
    """The names above *zone* that a CAA climb goes on to, nearest first; the root is not among them (section 3)."""
    above = []
    while "." in zone:
        zone = zone.partition(".")[2]
        above.append(zone)
    return tuple(above)


def allows_issuer(view: ZoneView, target: CaaSeen, above: CaaSeen, *, issuers: Sequence[str]) -> list[Finding]:
    """One of *issuers* may issue for the name once it leads to the target.

    The set that decides is the first of: the target's own (a CNAME's target counts, its parents do not), the nearest in
    the zone at each authoritative server, the nearest above the zone. No set at all permits everyone.
    """
    wildcard = view.name.startswith("*.")
    findings: list[Finding] = []
    for server in view.servers:
        if server.error is not None or server.lame is not None:
            continue  # for the caller to judge: nothing is known of its CAA
        deciding = [*target.found, *server.caa, *above.found]
        if deciding and (why := _refusal(deciding[0], issuers, wildcard=wildcard)) is not None:
            where = f"CAA of {deciding[0].name} seen at {server.nameserver}"
            wanted = " or ".join(issuers)
            findings.append(
                Finding(
                    f"{where} ({why}) permits {wanted}",
                    remedy=f'Add the record `{deciding[0].name} CAA 0 issue "{issuers[0]}"`.',
                )
            )
    return findings


def _refusal(records: RecordsSeen, issuers: Sequence[str], *, wildcard: bool) -> str | None:
    """Why this set permits none of *issuers*, or None if it permits one."""
    properties = [_parsed(value) for value in records.values]
    for each in properties:
        if each.critical and each.tag not in KNOWN:
            return f"critical property {each.tag} that no authority has to understand"
    wild = [each for each in properties if each.tag == "issuewild"]
    relevant = wild if wildcard and wild else [each for each in properties if each.tag == "issue"]
    permitted = {each.value.partition(";")[0].strip().lower() for each in relevant}
    if not relevant or permitted & {issuer.lower() for issuer in issuers}:
        return None
    return ", ".join(f'{each.tag} "{each.value}"' for each in relevant)


def _parsed(value: str) -> _Property:
    """`0 issue "letsencrypt.org"` as dnspython spells it: flags, tag, quoted value."""
    flags, tag, text = shlex.split(value)[:3]
    return _Property(bool(int(flags) & CRITICAL), tag.lower(), text)
