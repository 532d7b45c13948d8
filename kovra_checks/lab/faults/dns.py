"""Faults of the DNS family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kovra_checks.lab.faults.base import Fault
from kovra_checks.lab.setting import DOMAIN, SOURCE_DNS_TARGET, TARGET_HOST, ZONE

if TYPE_CHECKING:
    from kovra_checks.lab.world import World

__all__ = ["FAULTS"]

HIGH = 3600


def _set_ttl(world: World, ttl: int) -> None:
    held = world.dns.records(DOMAIN, "CNAME")
    assert held is not None, "the lab's domain has a CNAME from beginning to end"
    world.dns.set_record(ZONE, DOMAIN, "CNAME", ttl, held[1])


def _ttl_of(world: World) -> int:
    held = world.dns.records(DOMAIN, "CNAME")
    assert held is not None, "the lab's domain has a CNAME from beginning to end"
    return held[0]


def _high_ttl(world: World) -> None:
    _set_ttl(world, HIGH)


def _low_ttl(world: World) -> None:
    _set_ttl(world, 1)


def _other_app(world: World) -> None:
    """Another name on the same ingress: users are served all the same, so nobody but DNS can notice."""
    target_zone = world.dns.zone_of(TARGET_HOST)
    other = f"other.apps.{target_zone}"
    world.dns.set_record(target_zone, other, "A", 2, world.addresses.target_edges)
    world.dns.set_record(ZONE, DOMAIN, "CNAME", _ttl_of(world), (other,))


def _no_target(world: World) -> None:
    world.dns.set_record(world.dns.zone_of(TARGET_HOST), TARGET_HOST, "A", 0, ())
    world.dns.flush_resolvers()


def _stale_secondary(world: World) -> None:
    world.dns.freeze_secondary()
    world.dns.set_record(ZONE, f"note.{ZONE}", "TXT", 4, ('"a change the secondary never hears of"',))


def _lame_secondary(world: World) -> None:
    world.dns.secondary.lame = frozenset({ZONE})


def _leftover(world: World) -> None:
    world.dns.set_record(ZONE, DOMAIN, "AAAA", _ttl_of(world), ("2001:db8::10",))


def _other_issuer(world: World) -> None:
    world.dns.set_record(ZONE, ZONE, "CAA", 4, ('0 issue "pki.goog"',))


def _https_record(world: World) -> None:
    """Beside the right CNAME: only clients that ask for HTTPS records are led astray, and the lab's users do not."""
    world.dns.set_record(ZONE, DOMAIN, "HTTPS", _ttl_of(world), (f"1 {SOURCE_DNS_TARGET}. alpn=h2",))


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="ttl-still-high",
        breaks="Something sets the record's TTL back to an hour after it was lowered.",
        stage="precutover",
        checks=("ttl-is-low", "ttl-has-aged"),
        inject=_high_ttl,
        remedy="Lower the TTL",
    ),
    Fault(
        name="ttl-lowered-too-recently",
        breaks="The record's TTL was an hour until just before the cutover.",
        stage="precutover",
        checks=("ttl-has-aged",),
        inject=_high_ttl,
        moment="before-actions",
        verdict="INCONCLUSIVE",
        remedy="Wait until",
    ),
    Fault(
        name="stale-authoritative",
        breaks="The second nameserver no longer follows the first.",
        stage="precutover",
        checks=("zone-is-ready",),
        inject=_stale_secondary,
        remedy="A secondary no longer follows",
    ),
    Fault(
        name="lame-nameserver",
        breaks="One of the zone's nameservers refuses to answer for it.",
        stage="precutover",
        checks=("ttl-has-aged", "ttl-is-low", "zone-is-ready"),
        inject=_lame_secondary,
        remedy="NS records",
    ),
    Fault(
        name="aaaa-leftover",
        breaks="An AAAA record to an old host stands beside the record that is to be swapped.",
        stage="precutover",
        checks=("zone-is-ready",),
        inject=_leftover,
        remedy="Remove the AAAA record",
    ),
    Fault(
        name="caa-forbids-issuer",
        breaks="The zone's CAA record permits another certificate authority only.",
        stage="precutover",
        checks=("zone-is-ready",),
        inject=_other_issuer,
        remedy="Add the record",
    ),
    Fault(
        name="cname-target-missing",
        breaks="The host name Kovra gave as target has no address.",
        stage="pitfalls",
        checks=("cname-target-resolves",),
        inject=_no_target,
        remedy="CNAME target",
    ),
    Fault(
        name="wrong-cname-target",
        breaks="After the swap the record is changed to another app's host name.",
        stage="cutover",
        checks=("change-has-propagated",),
        inject=_other_app,
        verdict="ROLLED-BACK",
        remedy="correct the record",
    ),
    Fault(
        name="ttl-not-restored",
        breaks="The TTL stays low after the move.",
        stage="decommission",
        checks=("ttl-is-restored",),
        inject=_low_ttl,
        remedy="Raise the TTL",
    ),
    Fault(
        name="record-still-points-at-source",
        breaks="An HTTPS record beside the CNAME still leads browsers to the source.",
        stage="decommission",
        checks=("nothing-points-at-source",),
        inject=_https_record,
        remedy="Correct or delete the record",
    ),
)
