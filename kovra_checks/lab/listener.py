"""One listening socket that speaks HTTP/1.1 with keep-alive, with or without TLS, a thread for each connection."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kovra_checks.lab.exchange import Request, Response

__all__ = ["CertificateStore", "Listener", "server_context"]

Answer = Callable[[str, Request], Response]
IDLE = 15.0  # seconds a connection may be silent
MAX_REQUESTS = 40  # requests on one connection; routers close them now and then


def server_context(cert_pem: str, key_pem: str) -> ssl.SSLContext:
    """A TLS server context (1.2 or newer) for a chain and key given as PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    handle, name = tempfile.mkstemp(suffix=".pem")  # load_cert_chain reads files only; made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(cert_pem.rstrip() + "\n" + key_pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    return context


class CertificateStore:
    """The certificates of one address, chosen by SNI (RFC 6066 section 3); the default for any other name."""

    def __init__(self, default: tuple[str, str]) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._default = default
        self._context: ssl.SSLContext | None = None

    def put(self, host: str, cert_pem: str, key_pem: str) -> None:
        """Use this chain for *host*."""
        self._contexts[host.lower()] = server_context(cert_pem, key_pem)

    def remove(self, host: str) -> None:
        """Forget *host*'s certificate."""
        self._contexts.pop(host.lower(), None)

    def hosts(self) -> tuple[str, ...]:
        """Hosts with a certificate of their own, sorted."""
        return tuple(sorted(self._contexts))

    def context(self) -> ssl.SSLContext:
        """The context to accept with; it changes to the host's own when the name is known."""
        if self._context is None:
            self._context = server_context(*self._default)
            self._context.sni_callback = self._choose
        return self._context

    def _choose(self, connection: Any, name: str | None, _context: Any) -> None:
        chosen = self._contexts.get((name or "").lower())
        if chosen is not None:
            connection.context = chosen


class Listener(ThreadingHTTPServer):
    """Binds in the constructor (so that a taken port shows at once) and serves from `start` on."""

    daemon_threads = False  # stop() closes the connections and then joins
    request_queue_size = 256

    def __init__(
        self, address: str, port: int, answer: Answer, *, certificates: CertificateStore | None = None
    ) -> None:
        super().__init__((address, port), _Connection)
        self.address = address
        self.answer = answer
        self._certificates = certificates
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the standard server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the socket and every connection, and wait for their threads."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        with self._lock:
            still = tuple(self._open)
        for connection in still:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone already
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection before its thread starts."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake in the connection's own thread, so that a slow client delays nobody."""
        raw: socket.socket = request
        raw.settimeout(IDLE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._certificates is None:
                _Connection(raw, client_address, self)
                return
            context = self._certificates.context()
            with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as secure:
                with self._lock:
                    self._open.add(secure)  # before the handshake, so that stop() can end it
                try:
                    secure.do_handshake()
                    _Connection(secure, client_address, self)
                finally:
                    self._forget(secure)
        except OSError:
            return  # reset, timed out, or refused the certificate: the client's to report
        finally:
            self._forget(raw)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)


class _Connection(BaseHTTPRequestHandler):
    """Requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        super().setup()
        self.served = 0

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        authority = self.headers.get("Host", "")
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            host=authority.partition(":")[0].lower(),
            authority=authority,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
            client=str(self.client_address[0]),
        )
        self.served += 1
        if self.served >= MAX_REQUESTS:
            self.close_connection = True
        self._send(self.server.answer(self.server.address, request))

    def _send(self, response: Response) -> None:
        """Head and body in one write: two would wait for each other (Nagle and delayed acknowledgement)."""
        head = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers),
        ]
        if self.close_connection:
            head.append("Connection: close")
        body = b"" if self.command == "HEAD" else response.body
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: tests and rehearsals own the terminal."""

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815
