"""A control API on one address: JSON over HTTPS, routed by method and path template."""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kovra_checks.lab.exchange import Request, Response
from kovra_checks.lab.listener import CertificateStore, Listener

__all__ = ["ApiError", "ApiServer", "Route", "bearer_is", "body_object", "route"]

Call = Callable[[Request, Mapping[str, str]], Response]


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        code: Stable id of the error, e.g. `not_found`.
        message: Words for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path template with what answers it."""

    method: str
    pattern: re.Pattern[str]
    call: Call


def route(method: str, template: str, call: Call) -> Route:
    """`route("GET", "/apps/{app}", show)`: the parts in braces are given to *call* by name."""
    return Route(method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)), call)


def bearer_is(request: Request, token: str) -> bool:
    """Whether the request carries `Authorization: Bearer` with *token*; compared in constant time."""
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())


class ApiServer:
    """Serves routes on one address.

    Calls are answered one at a time, so that the state behind them needs no further locking.

    Args:
        address: Loopback address.
        port: Port; 0 takes a free one.
        certificate: Certificate chain and key (PEM).
        routes: First match wins.
        guard: Called before routing; raises ApiError to refuse.
        tell: Makes the answer of an error.
        lock: Shared with whoever else changes the same state.
    """

    def __init__(
        self,
        address: str,
        port: int,
        certificate: tuple[str, str],
        routes: tuple[Route, ...],
        *,
        guard: Callable[[Request], None],
        tell: Callable[[ApiError], Response],
        lock: threading.RLock | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self.intercept: Callable[[Request], Response | None] | None = None  # a fault that answers instead
        self._certificate = certificate
        self._routes = routes
        self._guard = guard
        self._tell = tell
        self._lock = threading.RLock() if lock is None else lock
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        """Base URL."""
        return f"https://{self.address}:{self.port}"

    def start(self) -> None:
        """Listen. Does nothing when listening. Raises OSError when the port is taken."""
        if self._listener is None:
            store = CertificateStore(self._certificate)
            self._listener = Listener(self.address, self.port, self._answer, certificates=store)
            self.port = self._listener.server_port
            self._listener.start()

    def stop(self) -> None:
        """Close everything. Does nothing when stopped."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def _answer(self, _address: str, request: Request) -> Response:
        intercept = self.intercept
        instead = None if intercept is None else intercept(request)
        if instead is not None:
            return instead
        try:
            with self._lock:
                self._guard(request)
                return self._dispatch(request)
        except ApiError as error:
            return self._tell(error)

    def _dispatch(self, request: Request) -> Response:
        allowed = False
        for one in self._routes:
            match = one.pattern.fullmatch(request.path)
            if match is not None and one.method == request.method:
                return one.call(request, match.groupdict())
            allowed = allowed or match is not None
        if allowed:
            raise ApiError(405, "method_not_allowed", f"{request.method} is not possible here.")
        raise ApiError(404, "not_found", "The requested API endpoint was not found.")


def body_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError 400 for anything else."""
    body = request.json()
    if not isinstance(body, dict):
        raise ApiError(400, "bad_request", "The body is not a JSON object.")
    return body
