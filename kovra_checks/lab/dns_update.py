"""RFC 2136: prerequisites, then changes, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping

import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.update

from kovra_checks.lab.dns_zone import Zone, absolute, below

__all__ = ["apply_update"]

Changes = dict[tuple[str, str], tuple[int, tuple[str, ...]]]


def apply_update(zone: Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Apply *update* if all its prerequisites hold; the response code either way (RFC 2136 section 3)."""
    for rcode in (_prerequisites(zone, update), _permitted(zone, update)):
        if rcode != dns.rcode.NOERROR:
            return rcode
    changes: Changes = {}
    for rrset in update.update:
        _change(zone, rrset, changes)
    if changes:
        zone.replace(changes)
    return dns.rcode.NOERROR


def _owner(rrset: dns.rrset.RRset) -> str:
    return absolute(rrset.name.to_text())


def _kind(rrset: dns.rrset.RRset) -> str:
    return dns.rdatatype.to_text(rrset.rdtype)


def _values(rrset: dns.rrset.RRset | None) -> set[str]:
    return set() if rrset is None else {rdata.to_text() for rdata in rrset}


def _prerequisites(zone: Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Section 3.2. Record sets given with values must be equal as a whole, TTLs aside."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for rrset in update.prerequisite:
        name, kind = _owner(rrset), _kind(rrset)
        if not below(name, zone.name):
            return dns.rcode.NOTZONE
        if rrset.deleting is None:
            wanted.setdefault((name, kind), set()).update(_values(rrset))
            continue
        absent = rrset.deleting == dns.rdataclass.NONE
        if kind == "ANY":
            held = bool(zone.types(name))
            refusal = dns.rcode.YXDOMAIN if absent else dns.rcode.NXDOMAIN
        else:
            held = zone.find(name, kind) is not None
            refusal = dns.rcode.YXRRSET if absent else dns.rcode.NXRRSET
        if held == absent:
            return refusal
    for (name, kind), values in wanted.items():
        if _values(zone.find(name, kind)) != values:
            return dns.rcode.NXRRSET
    return dns.rcode.NOERROR


def _permitted(zone: Zone, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Only names of the zone, and never its SOA or its own NS set: the lab's servers stay as they are."""
    for rrset in update.update:
        name, kind = _owner(rrset), _kind(rrset)
        if not below(name, zone.name):
            return dns.rcode.NOTZONE
        if name == zone.name and kind in ("SOA", "NS"):
            return dns.rcode.REFUSED
    return dns.rcode.NOERROR


def _current(
    zone: Zone, changes: Mapping[tuple[str, str], tuple[int, tuple[str, ...]]], name: str, kind: str
) -> set[str]:
    if (name, kind) in changes:
        return set(changes[name, kind][1])
    return _values(zone.find(name, kind))


def _change(zone: Zone, rrset: dns.rrset.RRset, changes: Changes) -> None:
    """Section 3.4.2: add, delete a set, delete all sets at a name, delete one record."""
    name, kind = _owner(rrset), _kind(rrset)
    if rrset.deleting == dns.rdataclass.ANY:
        for each in zone.types(name) if kind == "ANY" else (kind,):
            changes[name, each] = (0, ())
    elif rrset.deleting == dns.rdataclass.NONE:
        held = zone.find(name, kind)
        left = _current(zone, changes, name, kind) - _values(rrset)
        changes[name, kind] = (0 if held is None else held.ttl, tuple(sorted(left)))
    elif _fits(zone, changes, name, kind):
        # A CNAME is single-valued: adding one replaces it (section 3.4.2.2).
        held_values = set() if kind == "CNAME" else _current(zone, changes, name, kind)
        changes[name, kind] = (rrset.ttl, tuple(sorted(held_values | _values(rrset))))


def _fits(zone: Zone, changes: Changes, name: str, kind: str) -> bool:
    """A CNAME beside other data, or the other way round, is silently ignored by an update (section 3.4.2.2)."""
    kinds = {each for each in zone.types(name) if (name, each) not in changes}
    kinds |= {each for (owner, each), (_, values) in changes.items() if owner == name and values}
    if kind == "CNAME":
        return not kinds - {"CNAME"}
    return "CNAME" not in kinds
