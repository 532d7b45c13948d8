"""One client of the shop: its own resolver cache that honours TTLs, its own connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

__all__ = ["Answered", "BrowsingClient"]

TIMEOUT = 5.0
DNS_ATTEMPTS = 3
DNS_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What one request came to.

    Attributes:
        at: Unix time at which it began.
        ms: Milliseconds from the look-up to the whole body.
        status: HTTP status, or None when there was no answer.
        address: The address asked, or None when the name had none.
        retry_after: Seconds of Retry-After, or None.
        error: What went wrong on the way, or None.
    """

    at: float
    ms: float
    status: int | None
    address: str | None
    retry_after: float | None
    error: str | None


class _Connection(http.client.HTTPSConnection):
    """Connects to a chosen address while SNI and Host name the shop."""

    def __init__(self, address: str, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=TIMEOUT, context=context)
        self.address = address
        self._trust = context

    def connect(self) -> None:
        raw = socket.create_connection((self.address, self.port), self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = self._trust.wrap_socket(raw, server_hostname=self.host)
        except OSError:
            raw.close()
            raise


class BrowsingClient:
    """Asks like a browser or a mobile app would.

    Args:
        host: Host name.
        port: HTTPS port.
        resolver: `address:port` of its recursive resolver.
        ca_file: Trust roots.
        keep_alive: Reuse a connection until the server closes it (which outlives TTLs), or connect each time.
    """

    def __init__(self, host: str, port: int, resolver: str, ca_file: Path, *, keep_alive: bool) -> None:
        self.host = host
        self._port = port
        self._resolver, _, self._resolver_port = resolver.rpartition(":")
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._keep_alive = keep_alive
        self._addresses: tuple[str, ...] = ()
        self._valid_until = 0.0
        self._connection: _Connection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, method: str, path: str, body: Any = None) -> Answered:
        """One request. A kept connection that the server closed meanwhile is replaced once, as browsers do."""
        at, began = time.time(), time.perf_counter()
        status, retry_after, error = None, None, None
        address = None
        try:
            reused = self._connection is not None
            connection = self._connected()
            address = connection.address
            try:
                status, retry_after = self._exchange(connection, method, path, body)
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
                if not reused:
                    raise
                connection = self._connected()
                address = connection.address
                status, retry_after = self._exchange(connection, method, path, body)
        except (OSError, http.client.HTTPException, dns.exception.DNSException) as problem:
            error = f"{type(problem).__name__}: {problem}"
            self.close()
        if not self._keep_alive:
            self.close()
        ms = (time.perf_counter() - began) * 1000
        return Answered(at, ms, status, address, retry_after, error)

    def _connected(self) -> _Connection:
        if self._connection is None:
            self._connection = _Connection(random.choice(self._resolve()), self.host, self._port, self._context)
        return self._connection

    def _exchange(self, connection: _Connection, method: str, path: str, body: Any) -> tuple[int, float | None]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        text = None if body is None else json.dumps(body)
        connection.request(method, path, body=text, headers=headers)
        with contextlib.closing(connection.getresponse()) as response:
            response.read()
            wait = response.getheader("Retry-After")
            if response.will_close:
                self.close()
            return response.status, float(wait) if wait is not None and wait.isdecimal() else None

    def _resolve(self) -> tuple[str, ...]:
        """The addresses, from the cache while the TTL allows. Raises OSError when there are none."""
        if time.monotonic() < self._valid_until:
            return self._addresses
        answer = self._ask()
        sets = [rrset for rrset in answer.answer if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.CNAME)]
        addresses = tuple(sorted(each.address for rrset in sets if rrset.rdtype == dns.rdatatype.A for each in rrset))
        if not addresses:
            raise OSError(f"no address for {self.host}: {dns.rcode.to_text(answer.rcode())}")
        self._addresses = addresses
        self._valid_until = time.monotonic() + min(rrset.ttl for rrset in sets)
        return addresses

    def _ask(self) -> dns.message.Message:
        """The resolver's answer. A lost datagram is asked for again, as every stub resolver does (resolv.conf(5))."""
        query = dns.message.make_query(self.host, dns.rdatatype.A)
        for _ in range(DNS_ATTEMPTS - 1):
            with contextlib.suppress(dns.exception.Timeout):
                return self._put(query)
        return self._put(query)

    def _put(self, query: dns.message.Message) -> dns.message.Message:
        answer, _tcp = dns.query.udp_with_fallback(
            query, self._resolver, timeout=DNS_TIMEOUT, port=int(self._resolver_port)
        )
        return answer
