"""One query to one DNS server: UDP with EDNS, TCP where UDP is cut short."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import Answer, Lookup, RecordsSeen, same_name

__all__ = ["ask", "join_server", "lookup", "split_server"]

PAYLOAD = 1232  # bytes; the size that passes everywhere without fragments (DNS flag day 2020)
ATTEMPTS = 3  # a datagram may get lost; the time limit is shared between attempts
HOST_TYPES = ("CNAME", "NS", "DNAME")


def split_server(server: str, default_port: int = 53) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353` -> address and port."""
    if server.startswith("["):
        address, _, rest = server[1:].partition("]")
        return address, int(rest[1:]) if rest else default_port
    if server.count(":") == 1:
        address, _, port = server.partition(":")
        return address, int(port)
    return server, default_port


def join_server(address: str, port: int) -> str:
    """The reverse of `split_server`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ask(server: str, name: str, kind: str, *, timeout: float, recurse: bool = False) -> Answer:
    """Put one query to *server*, at most three times by UDP, within *timeout* seconds in all.

    Raises CouldNotLook when no usable answer came. A refusal is an answer.
    """
    address, port = split_server(server)
    tried = f"ask {join_server(address, port)} for {name} {kind}"
    try:
        query = dns.message.make_query(dns.name.from_text(name), kind, use_edns=0, payload=PAYLOAD)
    except dns.exception.DNSException as error:
        raise CouldNotLook(tried, seen=f"not a DNS name or type ({error})", remedy="correct the name") from None
    if not recurse:
        query.flags &= ~dns.flags.RD
    response, tcp = _exchange(query, address, port, timeout, tried)
    return Answer(
        server=join_server(address, port),
        rcode=dns.rcode.to_text(response.rcode()),
        authoritative=bool(response.flags & dns.flags.AA),
        records=tuple(_seen(rrset) for rrset in response.answer),
        truncated=tcp,
    )


def _exchange(
    query: dns.message.Message, address: str, port: int, timeout: float, tried: str
) -> tuple[dns.message.Message, bool]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return dns.query.udp_with_fallback(query, address, timeout=timeout / ATTEMPTS, port=port)
        except dns.exception.Timeout:
            if attempt < ATTEMPTS:
                continue
            seen = f"no answer within {timeout:g} s, {ATTEMPTS} attempts"
        except (dns.exception.DNSException, ValueError) as error:
            seen = f"an answer that is not proper DNS ({type(error).__name__}: {error})"
        except (OSError, EOFError) as error:
            seen = f"network error ({error})"
        break
    raise CouldNotLook(
        tried, seen=seen, remedy="see whether the server is up and whether a firewall blocks port 53 (UDP and TCP) here"
    )


def _seen(rrset: dns.rrset.RRset) -> RecordsSeen:
    kind = dns.rdatatype.to_text(rrset.rdtype)
    values = (rdata.to_text() for rdata in rrset)
    return RecordsSeen(
        name=same_name(rrset.name.to_text()),
        type=kind,
        ttl=rrset.ttl,
        values=tuple(sorted(same_name(value) if kind in HOST_TYPES else value for value in values)),
    )


def lookup(question: Lookup, access: Access) -> Answer:
    """One query as a question of its own, without recursion."""
    return ask(question.server, question.name, question.rrtype, timeout=access.timeout)
