"""What the lab's DNS servers share: one UDP and one TCP socket at an address, and threads that answer."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.message

__all__ = ["DnsListener", "fitted"]

PLAIN_UDP_SIZE = 512  # RFC 1035 section 2.3.4; more only with EDNS (RFC 6891)
IDLE = 2.0  # seconds a TCP connection may say nothing


def fitted(query: dns.message.Message, response: dns.message.Message, *, tcp: bool) -> bytes:
    """The response on the wire; over UDP cut to what the client takes, with TC set (RFC 2181 section 9)."""
    size = 65535 if tcp else max(PLAIN_UDP_SIZE, query.payload if query.edns >= 0 else 0)
    try:
        return response.to_wire(max_size=size)
    except dns.exception.TooBig:
        short = dns.message.make_response(query)
        short.flags = response.flags | dns.flags.TC
        return short.to_wire(max_size=size)


class DnsListener(ABC):
    """Receives DNS messages over UDP and TCP and sends what `handle` returns. Subclasses hold the data."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self._wake: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @abstractmethod
    def handle(self, wire: bytes, *, tcp: bool, peer: str) -> Iterable[bytes]:
        """The answers to one message, in order; none to stay silent."""

    @property
    def server(self) -> str:
        """`address:port`, as configurations spell it."""
        return f"{self.address}:{self.port}"

    def start(self) -> None:
        """Bind and serve. Raises OSError if the address or port cannot be had; port 0 takes a free one."""
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            tcp.bind((self.address, self.port))
            self.port = tcp.getsockname()[1]
            udp.bind((self.address, self.port))
        except OSError:
            tcp.close()
            udp.close()
            raise
        tcp.listen(64)
        ours, self._wake = socket.socketpair()
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix=f"dns-{self.address}")
        self._thread = threading.Thread(
            target=self._serve, args=(udp, tcp, ours, self._pool), name=f"dns-{self.address}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close everything and join the threads. Safe to call twice."""
        if self._thread is None or self._wake is None or self._pool is None:
            return
        self._wake.close()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was quicker
                    connection.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown(wait=True)
        self._thread = self._wake = self._pool = None

    def _serve(self, udp: socket.socket, tcp: socket.socket, wake: socket.socket, pool: ThreadPoolExecutor) -> None:
        with selectors.DefaultSelector() as selector, udp, tcp, wake:
            for each in (udp, tcp, wake):
                selector.register(each, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if wake in ready:
                    return
                if udp in ready:
                    wire, client = udp.recvfrom(65535)
                    pool.submit(self._datagram, udp, wire, client)
                if tcp in ready:
                    connection, client = tcp.accept()
                    pool.submit(self._connection, connection, client[0])

    def _datagram(self, udp: socket.socket, wire: bytes, client: tuple[str, int]) -> None:
        for answer in self.handle(wire, tcp=False, peer=client[0]):
            try:
                udp.sendto(answer, client)
            except OSError:
                return  # the server was stopped meanwhile, or the client is gone

    def _connection(self, connection: socket.socket, peer: str) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            connection.settimeout(IDLE)
            with connection.makefile("rb") as stream:
                while len(head := stream.read(2)) == 2:
                    wire = stream.read(struct.unpack("!H", head)[0])
                    for answer in self.handle(wire, tcp=True, peer=peer):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass  # idle for too long, or closed by the client: both end the connection
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
