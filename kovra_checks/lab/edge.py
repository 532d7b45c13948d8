"""The edge of a platform: HTTPS by SNI and Host on each of its addresses, and HTTP that sends people to HTTPS."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

from kovra_checks.lab.exchange import Handler, Request, Response, problem
from kovra_checks.lab.listener import CertificateStore, Listener

__all__ = ["Edge"]


class Edge:
    """Routes requests by Host to apps, on every address alike unless told otherwise.

    Args:
        addresses: Loopback addresses to listen on.
        https_port: Port of HTTPS on each address.
        http_port: Port of the redirect to HTTPS on each address.
        default_certificate: Certificate chain and key (PEM) shown to an unknown or missing SNI.
    """

    def __init__(
        self, addresses: Sequence[str], https_port: int, http_port: int, default_certificate: tuple[str, str]
    ) -> None:
        self.addresses = tuple(addresses)
        self.https_port = https_port
        self.http_port = http_port
        self.last_seen: dict[str, float] = {}
        self.requests: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Handler] = {}
        self._certificates = {address: CertificateStore(default_certificate) for address in self.addresses}
        self._listeners: list[Listener] = []

    def start(self) -> None:
        """Listen on all addresses. Raises OSError when a port is taken."""
        if self._listeners:
            return
        try:
            for address in self.addresses:
                store = self._certificates[address]
                self._listeners.append(Listener(address, self.https_port, self._answer, certificates=store))
                self._listeners.append(Listener(address, self.http_port, self._redirect))
        except OSError:
            self.stop()
            raise
        for listener in self._listeners:
            listener.start()

    def stop(self) -> None:
        """Close everything, connections in use as well. Does nothing when stopped."""
        while self._listeners:
            self._listeners.pop().stop()

    def set_certificate(self, host: str, cert_pem: str, key_pem: str, address: str | None = None) -> None:
        """Serve this chain for *host* from now on, at one *address* or at all."""
        for each in self.addresses if address is None else (address,):
            self._certificates[each].put(host, cert_pem, key_pem)

    def remove_certificate(self, host: str, address: str | None = None) -> None:
        """Show the default certificate for *host* again, at one *address* or at all."""
        for each in self.addresses if address is None else (address,):
            self._certificates[each].remove(host)

    def certificate_hosts(self, address: str) -> tuple[str, ...]:
        """Hosts that have a certificate of their own at *address*, sorted."""
        return self._certificates[address].hosts()

    def route(self, host: str, app: Handler | None, address: str | None = None) -> None:
        """Send requests for *host* to *app*, at one *address* or at all; None takes the route away."""
        with self._lock:
            for each in self.addresses if address is None else (address,):
                if app is None:
                    self._routes.pop((each, host.lower()), None)
                else:
                    self._routes[each, host.lower()] = app

    def routed(self, host: str, address: str | None = None) -> Handler | None:
        """What serves *host* at *address* (the first one unless given), or None."""
        return self._routes.get((self.addresses[0] if address is None else address, host.lower()))

    def _answer(self, address: str, request: Request) -> Response:
        with self._lock:
            self.requests[request.host] += 1
            self.last_seen[request.host] = time.time()
            app = self._routes.get((address, request.host))
        if app is None:
            return problem(404, "no such app")
        return app.handle(request)

    def _redirect(self, _address: str, request: Request) -> Response:
        query = f"?{request.query}" if request.query else ""
        port = "" if self.https_port == 443 else f":{self.https_port}"
        place = f"https://{request.host}{port}{request.path}{query}"
        return Response(301, b"", headers=(("Location", place),))
