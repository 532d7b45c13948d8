"""Rules over handshakes: is a certificate that users accept shown for the name at every address?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.tls import Handshake, Handshakes
from kovra_checks.outcome import Finding

__all__ = ["WAYS_OUT", "is_provisioned", "is_served"]

WAYS_OUT = (
    "HTTP-01 cannot succeed before the name leads to Kovra. Ways out: issue by DNS-01; delegate _acme-challenge to a "
    'zone the issuer may write; or set certificate = "bounded-gap" for the domain and accept TLS errors until issuance'
)
RENEW = "renew the certificate at the target and see that its automatic renewal runs"


def is_served(seen: Handshakes, name: str, *, at: datetime, margin: timedelta) -> list[Finding]:
    """A trusted certificate for *name*, valid for *margin* from *at* on, at every address.

    Fires per address: no handshake, wrong name, outside its validity (any certificate of the chain), untrusted.
    Raises CouldNotLook if all is well except that an address could not be reached from here.
    """
    if not seen.handshakes:
        return [Finding(f"addresses of the target for {name} (0) >= 1", "correct the target, or create its record")]
    found = [finding for each in seen.handshakes if each.connected for finding in _at(each, name, at, margin)]
    unseen = [each for each in seen.handshakes if not each.connected]
    if unseen and not found:
        raise CouldNotLook(
            f"TLS handshake for {name} at every address",
            seen="; ".join(f"{each.address}: {each.error}" for each in unseen),
            remedy="run this where all addresses can be reached (an IPv6 address needs IPv6)",
        )
    return found


def is_provisioned(
    seen: Handshakes, name: str, *, at: datetime, margin: timedelta, gap_accepted: bool = False
) -> list[Finding]:
    """`is_served`, before the swap.

    With *gap_accepted* an address that shows no certificate for the name, or a placeholder, is as agreed; one that
    refuses connections, or shows a certificate for the name that users will not accept, is not.
    """
    if not gap_accepted:
        return is_served(seen, name, at=at, margin=margin)
    kept = tuple(each for each in seen.handshakes if not _is_gap(each))
    return is_served(Handshakes(kept), name, at=at, margin=margin) if kept or not seen.handshakes else []


def _is_gap(handshake: Handshake) -> bool:
    refused = handshake.error is not None and "refused" in handshake.error
    return handshake.connected and not refused and not handshake.name_matches


def _at(handshake: Handshake, name: str, at: datetime, margin: timedelta) -> Iterator[Finding]:
    where = f"{name} at {handshake.address}"
    if handshake.error is not None or not handshake.chain:
        yield Finding(f"TLS for {where} (failed: {handshake.error}) == completed", WAYS_OUT)
        return
    leaf = handshake.chain[0]
    if not handshake.name_matches:
        names = ", ".join(leaf.names) or leaf.subject
        yield Finding(f"certificate shown for {where} names ({names}), expected {name}", WAYS_OUT)
    yield from _validity(handshake, where, at, margin)
    if not handshake.trusted:
        yield Finding(
            f"certificate for {where}, issued by {leaf.issuer} (untrusted: {handshake.distrust}) == trusted",
            "have it issued by a public authority and serve its whole chain, or name a private root under ca_file",
        )


def _validity(handshake: Handshake, where: str, at: datetime, margin: timedelta) -> Iterator[Finding]:
    """A chain is valid while all its members are: the earliest end counts (RFC 5280 section 6.1.3)."""
    ends = min(handshake.chain, key=lambda certificate: certificate.not_after)
    starts = max(certificate.not_before for certificate in handshake.chain)
    who = "certificate" if ends is handshake.chain[0] else f"chain ({ends.subject})"
    if starts > at:
        yield Finding(f"certificate for {where} not before ({_said(starts)}) <= now ({_said(at)})", until=starts)
    if ends.not_after <= at:
        yield Finding(f"{who} for {where} expired ({_said(ends.not_after)}), now ({_said(at)})", RENEW)
    elif ends.not_after < at + margin:
        wanted = _said(at + margin)
        yield Finding(f"{who} for {where} expires ({_said(ends.not_after)}) >= {wanted}", RENEW)


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
