"""A minimal OAuth 2 authorization-code provider (RFC 6749 section 4.1): a party outside that logs users in.

Every authorization request is approved at once, as for a user who is signed in and has agreed before.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import Any
from urllib.parse import urlencode

from kovra_checks.lab.exchange import Request, Response, json_response, problem

__all__ = ["OAuthProvider"]


class OAuthProvider:
    """Serves `/authorize` and `/token`; an edge with its certificate carries it.

    Args:
        client_id: The one registered client.
        client_secret: Its secret.
        redirect_uris: Registered redirect URIs; compared as whole strings (RFC 9700 section 2.1).
    """

    def __init__(self, client_id: str, client_secret: str, redirect_uris: tuple[str, ...] = ()) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self._uris = set(redirect_uris)
        self._codes: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The registered redirect URIs, sorted."""
        with self._lock:
            return tuple(sorted(self._uris))

    def register(self, uri: str) -> None:
        """Allow *uri* as a place to come back to."""
        with self._lock:
            self._uris.add(uri)

    def deregister(self, uri: str) -> None:
        """Allow *uri* no longer."""
        with self._lock:
            self._uris.discard(uri)

    def save(self) -> dict[str, Any]:
        """The registrations (codes live for a moment only)."""
        return {"redirect_uris": list(self.redirect_uris)}

    def load(self, state: dict[str, Any]) -> None:
        """Registrations as saved."""
        with self._lock:
            self._uris = set(state["redirect_uris"])

    def handle(self, request: Request) -> Response:
        """Answer a browser or an app."""
        if (request.method, request.path) == ("GET", "/authorize"):
            return self._authorize(request)
        if (request.method, request.path) == ("POST", "/token"):
            return self._token(request.form())
        return problem(404, "not_found")

    def _authorize(self, request: Request) -> Response:
        uri = request.argument("redirect_uri")
        if request.argument("client_id") != self.client_id:
            return problem(400, "invalid_client")
        if uri not in self.redirect_uris:
            return problem(400, "redirect_uri_mismatch")
        if request.argument("response_type") != "code":
            return problem(400, "unsupported_response_type")
        code = secrets.token_urlsafe(16)
        with self._lock:
            self._codes[code] = uri
        answer = {"code": code, "state": request.argument("state")}
        separator = "&" if "?" in uri else "?"
        return Response(302, headers=(("Location", f"{uri}{separator}{urlencode(answer)}"),))

    def _token(self, form: dict[str, str]) -> Response:
        known = hmac.compare_digest(form.get("client_secret", ""), self.client_secret)
        if form.get("client_id") != self.client_id or not known:
            return problem(401, "invalid_client")
        with self._lock:
            uri = self._codes.pop(form.get("code", ""), None)
        if uri is None or uri != form.get("redirect_uri"):
            return problem(400, "invalid_grant")
        token = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60}
        return json_response(200, token, ("Cache-Control", "no-store"))
