"""The lab's DNS data: zones as tables of record sets, loose enough for states that a careful server refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

__all__ = ["Zone", "absolute", "below", "rrset_of"]

SOA_TIMES = "30 5 3600 1"  # refresh, retry, expire; the last is how long "no such name" is cached (RFC 2308)


def absolute(name: str) -> str:
    """*name* in lower case without the root dot: how names are spelt as keys here (RFC 4343)."""
    return name.rstrip(".").lower()


def below(name: str, zone: str) -> bool:
    """Whether *name* is *zone* or lies below it."""
    return name == zone or name.endswith(f".{zone}")


def rrset_of(name: str, kind: str, ttl: int, values: Sequence[str]) -> dns.rrset.RRset:
    """The record set as dnspython has it. Host names among the values are absolute, with or without root dot."""
    rdata = [
        dns.rdata.from_text(
            dns.rdataclass.IN, dns.rdatatype.from_text(kind), value, origin=dns.name.root, relativize=False
        )
        for value in values
    ]
    return dns.rrset.from_rdata(dns.name.from_text(name), ttl, *rdata)


class Zone:
    """One zone: owner name -> type -> (TTL, values in text form).

    Every change made through `put` or `replace` bumps the SOA serial. A record beside a CNAME is allowed: some
    providers allow it, and a fault needs it.
    """

    def __init__(self, name: str, nameservers: Mapping[str, str], *, ttl: int = 30) -> None:
        self.name = absolute(name)
        self.serial = 1
        self._ttl = ttl
        self._lock = threading.RLock()
        self._records: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {}
        if nameservers:
            self._records[self.name] = {"NS": (ttl, tuple(f"{host}." for host in sorted(nameservers)))}
        for host, address in nameservers.items():
            self._records.setdefault(absolute(host), {})["A"] = (ttl, (address,))

    def soa(self) -> dns.rrset.RRset:
        """The SOA record as it is now."""
        with self._lock:
            text = f"ns1.{self.name}. hostmaster.{self.name}. {self.serial} {SOA_TIMES}"
        return rrset_of(self.name, "SOA", self._ttl, [text])

    def find(self, name: str, kind: str) -> dns.rrset.RRset | None:
        """The record set of exactly this name and type, or None."""
        name = absolute(name)
        if kind == "SOA":
            return self.soa() if name == self.name else None
        with self._lock:
            held = self._records.get(name, {}).get(kind)
        return None if held is None else rrset_of(name, kind, *held)

    def exists(self, name: str) -> bool:
        """Whether *name* or anything below it has records: NXDOMAIN otherwise (RFC 8020)."""
        with self._lock:
            return any(below(owner, absolute(name)) for owner in self._records)

    def types(self, name: str) -> tuple[str, ...]:
        """Types at *name*, sorted."""
        with self._lock:
            return tuple(sorted(self._records.get(absolute(name), {})))

    def put(self, name: str, kind: str, ttl: int, values: Sequence[str]) -> None:
        """Set one record set; without values it is removed."""
        self.replace({(absolute(name), kind): (ttl, tuple(values))})

    def replace(self, changes: Mapping[tuple[str, str], tuple[int, tuple[str, ...]]]) -> None:
        """Set several record sets at once, with one new serial. Values that are no DNS data raise DNSException."""
        for (name, kind), (ttl, values) in changes.items():
            if values:
                rrset_of(name, kind, ttl, values)
        with self._lock:
            for (name, kind), (ttl, values) in changes.items():
                self._set(absolute(name), kind, ttl, values)
            self.serial += 1

    def _set(self, name: str, kind: str, ttl: int, values: tuple[str, ...]) -> None:
        if values:
            self._records.setdefault(name, {})[kind] = (ttl, values)
            return
        self._records.get(name, {}).pop(kind, None)
        if not self._records.get(name, True):
            del self._records[name]

    def __iter__(self) -> Iterator[dns.rrset.RRset]:
        """All record sets except the SOA, sorted: the middle of a zone transfer."""
        with self._lock:
            held = [(name, kind, *data) for name, kinds in self._records.items() for kind, data in kinds.items()]
        for name, kind, ttl, values in sorted(held):
            yield rrset_of(name, kind, ttl, values)

    def become(self, serial: int, rrsets: Sequence[dns.rrset.RRset]) -> None:
        """Replace everything by what a transfer brought."""
        fresh: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {}
        for rrset in rrsets:
            kind = dns.rdatatype.to_text(rrset.rdtype)
            kinds = fresh.setdefault(absolute(rrset.name.to_text()), {})
            earlier = kinds.get(kind, (rrset.ttl, ()))[1]
            kinds[kind] = (rrset.ttl, tuple(sorted({*earlier, *(rdata.to_text() for rdata in rrset)})))
        with self._lock:
            self.serial, self._records = serial, fresh

    def save(self) -> dict[str, Any]:
        """The zone as plain JSON data."""
        with self._lock:
            records = {
                name: {kind: [ttl, list(values)] for kind, (ttl, values) in kinds.items()}
                for name, kinds in self._records.items()
            }
            return {"serial": self.serial, "records": records}

    def load(self, data: Mapping[str, Any]) -> None:
        """Become what `save` returned."""
        records = {
            name: {kind: (int(ttl), tuple(values)) for kind, (ttl, values) in kinds.items()}
            for name, kinds in data["records"].items()
        }
        with self._lock:
            self.serial, self._records = int(data["serial"]), records
