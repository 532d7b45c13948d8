"""Watches a change travel: every authoritative server and every resolver, until all show it or time is up."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import (
    Propagation,
    Sample,
    Watched,
    Watcher,
    record_type,
    same_name,
    target_values,
)
from kovra_checks.probes.dns_lookup import ask, join_server, split_server
from kovra_checks.probes.dns_zone import discover
from kovra_checks.probes.net import addresses_of
from kovra_checks.waiting import pause

__all__ = ["propagation"]

SHORTEST, LONGEST = 0.25, 15.0  # seconds between looks at a resolver; between them its TTL decides
QUICK, SLOW, QUICK_LOOKS = 0.5, 5.0, 20  # an authoritative server has no cache: often at first, then less so
SETTLED_LOOKS = 6  # so many looks in agreement on a third value are no accident of publishing


@dataclass
class _Place:
    server: str
    kind: Literal["authoritative", "resolver"]
    samples: list[Sample] = field(default_factory=list)
    due: float = 0.0

    def pace(self) -> float:
        """Seconds to the next look: asking a cache before its copy runs out shows nothing new."""
        last = self.samples[-1]
        if self.kind == "authoritative":
            return QUICK if len(self.samples) < QUICK_LOOKS else SLOW
        return min(LONGEST, max(SHORTEST, float(last.ttl or 0)))


@dataclass
class _Watch:
    question: Propagation
    timeout: float
    wanted: tuple[str, ...]
    places: list[_Place]

    def look(self, place: _Place) -> None:
        """One look at one place, kept with its moment; one that fails is kept as failed."""
        asked = record_type(self.question.target)
        flat = asked == "CNAME" and (place.kind == "resolver" or self.question.name == self.question.zone)
        kind = "A" if flat else asked
        try:
            answer = ask(place.server, self.question.name, kind, timeout=self.timeout, recurse=place.kind == "resolver")
        except CouldNotLook as error:
            sample = Sample(datetime.now(UTC), (), error=error.seen)
        else:
            own = [each for each in answer.records if each.name == same_name(self.question.name)]
            refused = None if answer.rcode in ("NOERROR", "NXDOMAIN") else answer.rcode
            values, ttl = (own[0].values, own[0].ttl) if own else ((), None)
            sample = Sample(datetime.now(UTC), values, ttl, refused)
        place.samples.append(sample)
        place.due = time.monotonic() + place.pace()

    def result(self, ended: Literal["everywhere", "deadline", "settled-elsewhere"], took: float) -> Watched:
        """What was seen so far, as an answer."""
        watchers = tuple(Watcher(place.server, place.kind, tuple(place.samples)) for place in self.places)
        return Watched(self.question.name, self.wanted, watchers, ended, took)

    def settled_elsewhere(self) -> bool:
        """All authoritative servers agree, look after look, on something that is neither old nor new."""
        seen: set[tuple[str, ...]] = set()
        for place in self.places:
            if place.kind == "authoritative":
                recent = place.samples[-SETTLED_LOOKS:]
                if len(recent) < SETTLED_LOOKS or any(sample.error for sample in recent):
                    return False
                seen.update(sample.values for sample in recent)
        return len(seen) == 1 and not seen & {self.wanted, target_values(self.question.old)}


def propagation(question: Propagation, access: Access) -> Watched:
    """Watch until all places show the target in one and the same round, or the deadline. Raises CouldNotLook."""
    servers, _, _ = discover(access, question.zone)
    places = [_Place(server, "authoritative") for server in sorted({server for _, server in servers})]
    places += [_Place(join_server(*split_server(resolver)), "resolver") for resolver in access.resolvers]
    watch = _Watch(question, access.timeout, _wanted(question, access), places)
    begin = time.monotonic()
    end = begin + access.migration.policy.propagation_deadline.total_seconds()
    with ThreadPoolExecutor(max_workers=min(16, len(places))) as pool:
        while True:
            round_ = [place for place in places if place.due <= time.monotonic()]
            list(pool.map(watch.look, round_))
            took = time.monotonic() - begin
            result = watch.result("everywhere", took)
            waiting = [
                place for place, seen in zip(places, result.watchers, strict=True) if not result.shows(seen.last)
            ]
            if not waiting and len(round_) == len(places):
                return result
            if watch.settled_elsewhere():
                return watch.result("settled-elsewhere", took)
            if time.monotonic() >= end:
                return watch.result("deadline", took)
            _schedule(places, waiting)
            pause(max(0.0, min(end, *(place.due for place in places)) - time.monotonic()))


def _schedule(places: list[_Place], waiting: list[_Place]) -> None:
    """Places that show the change rest until all do; then all are looked at once more, together."""
    for place in places:
        if not waiting:
            place.due = 0.0
        elif place not in waiting:
            place.due = math.inf


def _wanted(question: Propagation, access: Access) -> tuple[str, ...]:
    if record_type(question.target) == "CNAME" and question.name == question.zone:
        return addresses_of(question.target, access)
    return target_values(question.target)
