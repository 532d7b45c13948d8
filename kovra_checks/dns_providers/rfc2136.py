"""Dynamic updates (RFC 2136) signed with TSIG (RFC 8945): BIND, Knot, NSD's neighbours, PowerDNS, Windows DNS."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update

from kovra_checks.access import Access
from kovra_checks.errors import ActionFailed, ConfigError, CouldNotLook
from kovra_checks.migration import DnsProviderConfig
from kovra_checks.observations.dns import SERVING_TYPES
from kovra_checks.probes.dns_lookup import split_server
from kovra_checks.probes.dns_zone import record_sets
from kovra_checks.protocols import RecordChange, RecordSet

__all__ = ["Rfc2136Provider"]

REFUSALS = {
    dns.rcode.REFUSED: "allow this key to update the zone (BIND: update-policy or allow-update)",
    dns.rcode.NOTAUTH: "see whether the key's name, secret and algorithm are the server's, and that it is the primary",
    dns.rcode.NOTZONE: "set domains.<name>.zone to the zone that holds the record",
}
NOT_AS_PLANNED = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)


class Rfc2136Provider:
    """Changes records by DNS UPDATE, over TCP. The key is resolved when it is first needed."""

    def __init__(self, access: Access, config: DnsProviderConfig) -> None:
        self._access = access
        self._config = config

    def _server(self) -> str:
        if self._config.server is None:
            raise ConfigError(
                f"use the DNS provider {self._config.name}",
                seen="it has no server",
                remedy=f"set dns_providers.{self._config.name}.server to the zone's primary",
            )
        return self._config.server

    def _key(self) -> dns.tsig.Key | None:
        if self._config.key_secret is None:
            return None
        secret = self._access.secrets.resolve(self._config.key_secret)
        try:
            return dns.tsig.Key(self._config.key_name or self._config.name, secret, f"{self._config.key_algorithm}.")
        except (dns.exception.DNSException, ValueError):
            raise ConfigError(
                f"use the TSIG key {self._config.key_secret}",
                seen="its secret is not base64, or its name is no DNS name",
                remedy="give the secret exactly as tsig-keygen printed it",
            ) from None

    def current(self, zone: str, name: str) -> tuple[RecordSet, ...]:
        """All record sets at *name* that the primary holds, sorted by type. Raises CouldNotLook."""
        del zone
        return tuple(
            RecordSet(each.name, each.type, each.ttl, each.values)
            for each in record_sets(self._server(), name, self._access.timeout)
        )

    def change(self, zone: str, change: RecordChange) -> None:
        """One update, applied only if every serving record set at the name is still as in `change.before`.

        Prerequisites compare values, not TTLs (RFC 2136, 2.4.2). Raises ActionFailed; if the answer was lost, only
        after looking what became of the update.
        """
        tried = f"update {change.name} in {zone} at {self._server()}"
        update = _update(zone, change, self._key())
        address, port = split_server(self._server())
        try:
            response = dns.query.tcp(update, address, port=port, timeout=self._access.timeout)
        except dns.tsig.PeerError as error:
            raise self._refused(tried, f"the server does not accept the key ({type(error).__name__})") from None
        except dns.exception.FormError as error:
            raise self._refused(tried, f"an answer not signed with the key ({error})") from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            self._settle(zone, change, tried, error)
            return
        _judge(response, tried, signed=self._config.key_secret is not None)

    def _refused(self, tried: str, seen: str) -> ActionFailed:
        return ActionFailed(tried, seen=seen, remedy=REFUSALS[dns.rcode.NOTAUTH])

    def _settle(self, zone: str, change: RecordChange, tried: str, error: Exception) -> None:
        """The answer is lost: the record itself says whether the update was applied."""
        seen = f"no answer ({type(error).__name__}: {error})"
        try:
            now = self.current(zone, change.name)
        except CouldNotLook:
            seen += ", and the server cannot be asked what became of it"
        else:
            if _serving(now) == _serving(change.after):
                return
            seen += ", the record is unchanged" if _serving(now) == _serving(change.before) else ", the record differs"
        raise ActionFailed(tried, seen=seen, remedy="see whether the server is up; look at the record before you go on")


def _serving(records: tuple[RecordSet, ...]) -> set[RecordSet]:
    return {each for each in records if each.type in SERVING_TYPES}


def _update(zone: str, change: RecordChange, key: dns.tsig.Key | None) -> dns.update.UpdateMessage:
    update = dns.update.UpdateMessage(f"{zone}.", keyring=key)
    owner = dns.name.from_text(change.name)
    before = {each.type: each for each in change.before}
    after = {each.type: each for each in change.after}
    for kind in (*SERVING_TYPES, *(kind for kind in before if kind not in SERVING_TYPES)):
        if kind in before:
            update.present(owner, _rdataset(before[kind]))
        else:
            update.absent(owner, kind)
    for kind in sorted(before):  # deletions first: a CNAME and other data must never meet (RFC 2136, 3.4.2.2)
        if kind not in after or after[kind] != before[kind]:
            update.delete(owner, kind)
    for kind in sorted(after):
        if after[kind] != before.get(kind):
            update.add(owner, _rdataset(after[kind]))
    return update


def _rdataset(records: RecordSet) -> dns.rdataset.Rdataset:
    """Host names among the values are absolute, though spelt without the root dot."""
    kind = dns.rdatatype.from_text(records.type)
    rdata = (
        dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=dns.name.root, relativize=False)
        for value in records.values
    )
    return dns.rdataset.from_rdata_list(records.ttl, list(rdata))


def _judge(response: dns.message.Message, tried: str, *, signed: bool) -> None:
    rcode = response.rcode()
    if rcode in NOT_AS_PLANNED:
        raise ActionFailed(
            tried,
            seen=f"{dns.rcode.to_text(rcode)}: the name no longer holds what the plan saw; nothing was changed",
            remedy="somebody else changes this record: find out who, then plan again",
        )
    if rcode != dns.rcode.NOERROR:
        remedy = REFUSALS.get(rcode, "see the server's log")
        raise ActionFailed(tried, seen=f"{dns.rcode.to_text(rcode)}; nothing was changed", remedy=remedy)
    if signed and not response.had_tsig:
        raise ActionFailed(
            tried, seen="an answer that is not signed", remedy="somebody may be in between: look at the record itself"
        )
