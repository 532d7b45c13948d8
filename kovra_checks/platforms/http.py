"""The one JSON client of the control APIs: looks again when looking failed, and never repeats a change."""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from kovra_checks.access import Access
from kovra_checks.errors import ActionFailed, CouldNotLook, KovraChecksError
from kovra_checks.waiting import pause

__all__ = ["Answer", "JsonApi"]

REQUEST_IDS = ("request-id", "x-request-id", "render-request-id")
FIRST_PAUSE = 0.25  # seconds before the second look; doubled each time
TOTAL = 3.0  # times `access.timeout`: how long one question may take with all its looks
REMEDIES = {
    401: "the token is wrong, expired or of another account: renew it where {reference} points to",
    403: "the token lacks the right, or the account or plan does not allow it: ask its owner",
    404: "check the name in the migration file; a token that may not see it gets this answer too",
    409: "it is not in a state that allows this, or exists already: look at it and run again",
    429: "the API's rate limit is used up: run again when it has refilled",
}
OWN_PROBLEM = "the platform has a problem of its own: see its status page and run again"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer.

    Attributes:
        status: HTTP status, 200 to 299.
        data: The parsed JSON; None for an empty body.
        headers: By name in lower case.
    """

    status: int
    data: Any
    headers: Mapping[str, str]


class JsonApi:
    """Speaks to one control API.

    Trust comes from `access.trust()`, time limits from `access.timeout`, redirects are not followed (a token must not
    travel), and headers are never written anywhere.

    Args:
        access: For trust, time limits and masking.
        platform: What messages call it, e.g. `Heroku`.
        base_url: Without a slash at the end.
        reference: Where the token comes from, for messages.
        headers: Sent with each request, the Authorization header among them.
    """

    def __init__(
        self, access: Access, platform: str, base_url: str, *, reference: str, headers: Mapping[str, str]
    ) -> None:
        self._access = access
        self._platform = platform
        self._base = base_url.rstrip("/")
        self._reference = reference
        self._http = httpx.Client(
            verify=access.trust(),
            timeout=httpx.Timeout(access.timeout),
            headers={"Accept": "application/json", **headers},
            follow_redirects=False,
            trust_env=not _is_loopback(base_url),  # a proxy is for the outside
        )

    def get(self, path: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
            absent: tuple[int, ...] = ()) -> Answer | None:  # fmt: skip
        """Look; again after 429, 5xx and timeouts until three times the time limit is used up.

        Returns None for a status in *absent*. Raises CouldNotLook.
        """
        end = time.monotonic() + self._access.timeout * TOTAL
        wait = FIRST_PAUSE
        while True:
            response = self._try(path, params, headers)
            again = isinstance(response, httpx.HTTPError) or _passing(response.status_code)
            if not again:
                break
            after = wait if isinstance(response, httpx.HTTPError) else max(wait, _retry_after(response))
            if time.monotonic() + after >= end:
                break
            pause(after)
            wait *= 2
        if isinstance(response, httpx.HTTPError):
            raise self._unreachable(CouldNotLook, "GET", path, response)
        if response.status_code in absent:
            return None
        return self._read(CouldNotLook, "GET", path, response)

    def look(
        self, path: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`get` of something that must be there."""
        answer = self.get(path, params=params, headers=headers)
        assert answer is not None
        return answer

    def change(self, method: str, path: str, body: Any = None, *, remedies: Mapping[int, str] | None = None) -> Answer:
        """Change something, once. Raises ActionFailed; *remedies* by status go before the usual ones."""
        try:
            response = self._http.request(method, self._base + path, json=body)
        except httpx.HTTPError as error:
            raise self._unreachable(ActionFailed, method, path, error) from None
        return self._read(ActionFailed, method, path, response, remedies or {})

    def _try(
        self, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> httpx.Response | httpx.HTTPError:
        try:
            return self._http.get(self._base + path, params=params, headers=headers)
        except httpx.HTTPError as error:
            return error

    def _tried(self, method: str, path: str) -> str:
        return f"{self._platform} {method} {self._base}{path}"

    def _unreachable(
        self, kind: type[KovraChecksError], method: str, path: str, error: httpx.HTTPError
    ) -> KovraChecksError:
        timed_out = isinstance(error, httpx.TimeoutException)
        seen = f"no answer within {self._access.timeout:g}s" if timed_out else f"{type(error).__name__}: {error}"
        remedy = "check the API's address, the network and ca_file"
        if method != "GET":
            remedy = "it may have happened all the same: look before running again; then " + remedy
        return kind(self._tried(method, path), seen=self._access.secrets.mask(seen), remedy=remedy)

    def _read(
        self,
        kind: type[KovraChecksError],
        method: str,
        path: str,
        response: httpx.Response,
        remedies: Mapping[int, str] | None = None,
    ) -> Answer:
        if not response.is_success:
            raise self._refused(kind, method, path, response, remedies or {})
        if not response.content:
            return Answer(response.status_code, None, dict(response.headers))
        try:
            data = json.loads(response.content)
        except ValueError:
            raise kind(
                self._tried(method, path),
                seen=f"status {response.status_code} with {len(response.content)} bytes that are no JSON"
                f"{_request_id(response)}",
                remedy="check the API's address: something else answers there (a proxy, a login page)",
            ) from None
        return Answer(response.status_code, data, dict(response.headers))

    def _refused(
        self,
        kind: type[KovraChecksError],
        method: str,
        path: str,
        response: httpx.Response,
        remedies: Mapping[int, str],
    ) -> KovraChecksError:
        status = response.status_code
        usual = OWN_PROBLEM if status >= 500 else REMEDIES.get(status, "see the message; nothing was repeated")
        remedy = remedies.get(status, usual)
        words = self._access.secrets.mask(_words(response))
        return kind(
            self._tried(method, path),
            seen=f"status {status}{f' ({words})' if words else ''}{_request_id(response)}",
            remedy=remedy.format(reference=self._reference),
        )


def _passing(status: int) -> bool:
    return status == 429 or status >= 500


def _retry_after(response: httpx.Response) -> float:
    """Seconds the server asks for (RFC 9110 section 10.2.3, delay form); 0 when it does not say."""
    value = response.headers.get("retry-after", "")
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else 0.0


def _request_id(response: httpx.Response) -> str:
    found = next((response.headers[name] for name in REQUEST_IDS if name in response.headers), None)
    return "" if found is None else f", request id {found}"


def _words(response: httpx.Response) -> str:
    """The error's own id and message, if the body holds them, shortened."""
    try:
        data = json.loads(response.content)
    except ValueError:
        return ""
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        data = data["error"]
    if not isinstance(data, dict):
        return ""
    told = [data[key] for key in ("id", "code", "error", "message") if isinstance(data.get(key), str)]
    return ": ".join(told)[:200]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
