"""A request and its answer, as the lab's edges hand them to what they serve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

__all__ = ["Handler", "Request", "Response", "html", "json_response", "problem"]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        host: The Host header in lower case, without a port.
        authority: The Host header as sent, e.g. `shop.example.test:10443`.
        path: Path without the query.
        headers: By name in lower case.
        client: Address of the caller.
    """

    method: str
    host: str
    authority: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str

    def argument(self, name: str) -> str:
        """The first value of *name* in the query, or an empty string."""
        return parse_qs(self.query).get(name, [""])[0]

    def form(self) -> dict[str, str]:
        """The body as `application/x-www-form-urlencoded` (first values); empty when it is something else."""
        pairs = parse_qs(self.body.decode("utf-8", "replace"))
        return {name: values[0] for name, values in pairs.items()}

    def json(self) -> Any:
        """The body as JSON, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; Content-Length and Date are added when it is sent."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Handler(Protocol):
    """What an edge serves: an app, or a party outside. Called from many threads at once."""

    def handle(self, request: Request) -> Response:
        """Answer *request*."""


def json_response(status: int, data: Any, *headers: tuple[str, str]) -> Response:
    """*data* as JSON with sorted keys, so that equal data make equal bytes."""
    body = json.dumps(data, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    return Response(status, body, "application/json", headers)


def html(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """A page."""
    return Response(status, text.encode(), "text/html; charset=utf-8", headers)


def problem(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """An error as JSON: `{"error": message}`."""
    return json_response(status, {"error": message}, *headers)
