"""Questions to DNS and what they are answered with. Host names are lower case without the root dot (RFC 4343)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from kovra_checks.outcome import Question

__all__ = [
    "SERVING_TYPES", "Answer", "CaaAt", "CaaSeen", "Lookup", "LowSince", "Propagation", "RecordsSeen", "Resolutions",
    "ResolverView", "ResolverViews", "Sample", "ServerView", "TtlHistory", "Watched", "Watcher", "ZoneSurvey",
    "ZoneView", "record_type", "same_name", "target_values",
]  # fmt: skip

SERVING_TYPES = ("CNAME", "A", "AAAA", "HTTPS", "SVCB")  # what leads users to an app (RFC 1035, 3596, 9460)


def record_type(target: str) -> str:
    """The type of record that leads to *target*: A or AAAA for an address, CNAME for a host name."""
    try:
        return "A" if ipaddress.ip_address(target).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def same_name(name: str) -> str:
    """*name* as names are spelt here. Addresses pass unchanged."""
    return name.rstrip(".").lower()


def target_values(target: str) -> tuple[str, ...]:
    """The values of the record set that leads to *target*, as observations spell them."""
    return (str(ipaddress.ip_address(target)),) if record_type(target) != "CNAME" else (same_name(target),)


@dataclass(frozen=True, slots=True)
class RecordsSeen:
    """One record set.

    Attributes:
        name: Its owner.
        type: E.g. `CNAME`.
        ttl: Seconds; at a resolver what is left of them.
        values: Sorted; host names of CNAME and NS records as `same_name` spells them, others in RFC 1035 text form.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said to one query.

    Attributes:
        server: `address:port`.
        rcode: E.g. `NOERROR`, `NXDOMAIN`, `SERVFAIL`.
        authoritative: The AA bit.
        records: The answer section in order, CNAMEs included.
        truncated: Whether UDP was not enough and TCP was used.
    """

    server: str
    rcode: str
    authoritative: bool
    records: tuple[RecordsSeen, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Lookup(Question[Answer]):
    """What does this server say?

    Attributes:
        server: `address` or `address:port`.
        name: Owner name.
        rrtype: Record type.
    """

    server: str
    name: str
    rrtype: str
    kind: ClassVar[str] = "dns-lookup"
    answer_type: ClassVar[type] = Answer


@dataclass(frozen=True, slots=True)
class ServerView:
    """What one authoritative server holds.

    Attributes:
        nameserver: Its name in the zone's NS set.
        server: `address:port`.
        serial: SOA serial; None if it did not give one.
        lame: Why it does not answer for the zone though delegated it (e.g. `REFUSED`, `not authoritative`), or None.
        error: Why it could not be seen (no answer in time), or None. Then all else is empty.
        records: Every record set at the name itself, by type.
        challenge: The CNAME at `_acme-challenge` below the name, if any.
        caa: CAA record sets at the name and its parents up to the zone's apex, nearest first.
    """

    nameserver: str
    server: str
    serial: int | None = None
    lame: str | None = None
    error: str | None = None
    records: tuple[RecordsSeen, ...] = ()
    challenge: RecordsSeen | None = None
    caa: tuple[RecordsSeen, ...] = ()

    @property
    def serving(self) -> tuple[RecordsSeen, ...]:
        """The record sets at the name by which users find the app."""
        return tuple(records for records in self.records if records.type in SERVING_TYPES)


@dataclass(frozen=True, slots=True)
class ZoneView:
    """All authoritative servers of a zone, side by side.

    Attributes:
        zone: The zone.
        name: The name looked at.
        servers: One per address of each nameserver, sorted.
        unreachable: IPv6 addresses that were not asked because this vantage has no route to them.
        nameless: Nameservers of the NS set that have no address.
    """

    zone: str
    name: str
    servers: tuple[ServerView, ...]
    unreachable: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneSurvey(Question[ZoneView]):
    """What does every authoritative server of the zone hold at this name?"""

    zone: str
    name: str
    kind: ClassVar[str] = "zone-survey"
    answer_type: ClassVar[type] = ZoneView


@dataclass(frozen=True, slots=True)
class ResolverView:
    """What one recursive resolver says.

    Attributes:
        resolver: `address:port`.
        rcode: Response code; empty if it could not be seen.
        chain: The CNAME targets that were followed, in order.
        addresses: Addresses (A and AAAA) at the end, sorted.
        ttl: Seconds left of the record set at the name itself; None without one.
        error: Why it could not be seen, or None.
    """

    resolver: str
    rcode: str = ""
    chain: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ttl: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Resolutions:
    """One name through every resolver of the migration, in configured order."""

    name: str
    views: tuple[ResolverView, ...]


@dataclass(frozen=True, slots=True)
class ResolverViews(Question[Resolutions]):
    """Where do the resolvers lead users of this name? An address stands for itself."""

    name: str
    kind: ClassVar[str] = "resolver-views"
    answer_type: ClassVar[type] = Resolutions


@dataclass(frozen=True, slots=True)
class CaaSeen:
    """The CAA records found by way of a resolver, with CNAMEs followed (RFC 8659 section 3).

    Attributes:
        found: One entry per name asked that has any, in the order asked.
    """

    found: tuple[RecordsSeen, ...]


@dataclass(frozen=True, slots=True)
class CaaAt(Question[CaaSeen]):
    """Which CAA records hold for these names? Asked in order, through the first resolver that answers."""

    names: tuple[str, ...]
    kind: ClassVar[str] = "caa-at"
    answer_type: ClassVar[type] = CaaSeen


@dataclass(frozen=True, slots=True)
class Sample:
    """One look of the propagation watch.

    Attributes:
        at: When (UTC).
        values: What was seen: the CNAME or the addresses at the name; empty if there was nothing.
        ttl: TTL of that record set, None without one.
        error: Why this look failed, or None.
    """

    at: datetime
    values: tuple[str, ...]
    ttl: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Watcher:
    """One place that was watched, and its looks in order of time."""

    server: str
    kind: Literal["authoritative", "resolver"]
    samples: tuple[Sample, ...]

    @property
    def last(self) -> Sample:
        """The newest look. There is always one."""
        return self.samples[-1]


@dataclass(frozen=True, slots=True)
class Watched:
    """The propagation of one change, watched until every place showed it or the deadline passed.

    Attributes:
        name: The record's name.
        wanted: The values waited for. At an apex, where a CNAME cannot stand, the addresses of the target.
        watchers: Authoritative servers first, then resolvers.
        ended: Why the watch ended: `everywhere`, `deadline`, or `settled-elsewhere` (all authoritative servers agree on
            something that is neither the old nor the new value, so waiting is in vain).
        took: Seconds the watch lasted.
    """

    name: str
    wanted: tuple[str, ...]
    watchers: tuple[Watcher, ...]
    ended: Literal["everywhere", "deadline", "settled-elsewhere"]
    took: float

    def shows(self, sample: Sample) -> bool:
        """Whether a look showed what was waited for, and nothing beside it."""
        return sample.error is None and bool(sample.values) and set(sample.values) <= set(self.wanted)


@dataclass(frozen=True, slots=True)
class Propagation(Question[Watched]):
    """Does every authoritative server and every resolver come to show *target*? Waits `policy.propagation_deadline`.

    Attributes:
        zone: The zone that holds the record.
        name: The record's name.
        target: What it must lead to: a host name (CNAME) or an address.
        old: What it led to before.
    """

    zone: str
    name: str
    target: str
    old: str
    kind: ClassVar[str] = "propagation"
    answer_type: ClassVar[type] = Watched
    settles: ClassVar[bool] = True  # whoever asks for the domain by name before would see the old side


@dataclass(frozen=True, slots=True)
class LowSince:
    """Since when this runner has seen the low TTL.

    Attributes:
        since: The first look of an unbroken row of looks at which no authoritative server showed more than the ceiling;
            None if one shows more now.
    """

    since: datetime | None


@dataclass(frozen=True, slots=True)
class TtlHistory(Question[LowSince]):
    """Since when has the TTL been seen low? For a TTL lowered by hand, of which the ledger knows nothing.

    Each look is remembered in the migration's work folder, so that another run, hours later, can tell.
    """

    zone: str
    name: str
    ceiling: int
    kind: ClassVar[str] = "ttl-history"
    answer_type: ClassVar[type] = LowSince
