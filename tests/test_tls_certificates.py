"""The rule over certificates, as a table: what passes, and what each fault is told as."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.tls import Certificate, Handshake, Handshakes
from kovra_checks.rules.certificates import WAYS_OUT, is_provisioned, is_served

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARGIN = timedelta(days=7)
NAME = "shop.example.com"
LEAF = Certificate(
    subject=f"CN={NAME}",
    issuer="CN=R11",
    names=(NAME,),
    not_before=AT - timedelta(days=1),
    not_after=AT + timedelta(days=80),
    key="EC 256",
    signature_hash="sha256",
    sha256="00",
)
ROOT = replace(LEAF, subject="CN=R11", names=(), not_after=AT + timedelta(days=900))
GOOD = Handshake("192.0.2.1", connected=True, error=None, chain=(LEAF, ROOT), trusted=True, name_matches=True)
OTHER = replace(GOOD, address="192.0.2.2")


def changed(**leaf: object) -> Handshake:
    """The good handshake with another leaf."""
    return replace(GOOD, chain=(replace(LEAF, **leaf), ROOT))  # type: ignore[arg-type]


ABSENT = replace(GOOD, chain=(), trusted=False, name_matches=False, error="tlsv1 unrecognized name")
REFUSED = replace(ABSENT, error="connection refused")
WRONG = replace(changed(names=("default.test",)), name_matches=False)
UNTRUSTED = replace(GOOD, trusted=False, distrust="self-signed")
UNSEEN = replace(ABSENT, connected=False, error="network is unreachable")


def told(*handshakes: Handshake) -> list[str]:
    """The messages for these addresses."""
    found = is_served(Handshakes(handshakes), NAME, at=AT, margin=MARGIN)
    return [str(finding) for finding in found]


def test_good_everywhere_passes() -> None:
    """A trusted, matching certificate with time left at every address is all that is asked."""
    assert told(GOOD, OTHER) == []


@pytest.mark.parametrize(
    ("handshake", "message"),
    [
        (ABSENT, "TLS for shop.example.com at 192.0.2.1 (failed: tlsv1 unrecognized name) == completed"),
        (WRONG, "certificate shown for shop.example.com at 192.0.2.1 names (default.test), expected shop.example.com"),
        (
            changed(not_after=AT - timedelta(days=1)),
            "certificate for shop.example.com at 192.0.2.1 expired (2026-02-28 12:00), now (2026-03-01 12:00)",
        ),
        (
            changed(not_after=AT + timedelta(days=2)),
            "certificate for shop.example.com at 192.0.2.1 expires (2026-03-03 12:00) >= 2026-03-08 12:00",
        ),
        (
            UNTRUSTED,
            "certificate for shop.example.com at 192.0.2.1, issued by CN=R11 (untrusted: self-signed) == trusted",
        ),
        (
            replace(GOOD, chain=(LEAF, replace(ROOT, not_after=AT - timedelta(hours=1)))),
            "chain (CN=R11) for shop.example.com at 192.0.2.1 expired (2026-03-01 11:00), now (2026-03-01 12:00)",
        ),
    ],
)
def test_each_fault_is_told(handshake: Handshake, message: str) -> None:
    """Each fault at one address is one message that names that address, whatever the other address does."""
    assert told(handshake, OTHER) == [message]


def test_not_yet_valid_names_the_moment() -> None:
    """A certificate from the future needs nothing but time."""
    start = AT + timedelta(hours=2)
    (finding,) = is_served(Handshakes((changed(not_before=start),)), NAME, at=AT, margin=MARGIN)
    assert finding.until == start


def test_no_address() -> None:
    """A target without addresses serves nobody."""
    assert told() == ["addresses of the target for shop.example.com (0) >= 1"]


def test_unreached_address_is_no_evidence() -> None:
    """An address that could not be reached from here leaves the check open, unless another one is bad anyway."""
    with pytest.raises(CouldNotLook, match=r"192\.0\.2\.1: network is unreachable"):
        told(UNSEEN, OTHER)
    assert len(told(UNSEEN, replace(UNTRUSTED, address="192.0.2.2"))) == 1


def test_absent_certificate_names_the_ways_out() -> None:
    """Who has no certificate yet is told the three ways out."""
    (finding,) = is_provisioned(Handshakes((WRONG,)), NAME, at=AT, margin=MARGIN)
    assert finding.remedy == WAYS_OUT
    for way in ("DNS-01", "_acme-challenge", "bounded-gap"):
        assert way in finding.remedy


@pytest.mark.parametrize("handshake", [GOOD, ABSENT, WRONG, replace(WRONG, trusted=False, distrust="self-signed")])
def test_bounded_gap_accepts_a_certificate_that_is_to_come(handshake: Handshake) -> None:
    """With a bounded gap agreed, no certificate or a placeholder is as agreed."""
    assert is_provisioned(Handshakes((handshake,)), NAME, at=AT, margin=MARGIN, gap_accepted=True) == []


@pytest.mark.parametrize("handshake", [REFUSED, UNTRUSTED, changed(not_after=AT)])
def test_bounded_gap_accepts_nothing_else(handshake: Handshake) -> None:
    """A closed port, or a certificate for the name that users refuse, will not heal by the swap."""
    assert len(is_provisioned(Handshakes((handshake,)), NAME, at=AT, margin=MARGIN, gap_accepted=True)) == 1


def test_bounded_gap_needs_addresses() -> None:
    """A gap is no excuse for a target that has no address."""
    assert len(is_provisioned(Handshakes(()), NAME, at=AT, margin=MARGIN, gap_accepted=True)) == 1
