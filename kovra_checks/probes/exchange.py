"""One HTTP/1.1 exchange with a chosen address: Host and SNI say who is meant, phases are timed."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import time
from dataclasses import dataclass, field, replace

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.http import Exchange, Timing
from kovra_checks.observations.routes import Place
from kovra_checks.probes.net import connect

__all__ = ["Outgoing", "exchange", "without_cookies"]

BODY_KEPT = 64 * 1024  # bytes of a body that an observation holds
BODY_READ = 16 * 1024 * 1024  # bytes that are read at most
AGENT = "kovra-checks"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What to send."""

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)


class _Connection(http.client.HTTPConnection):
    """Connects to an address of our choice and remembers how long each phase took."""

    def __init__(self, place: Place, address: str, trust: ssl.SSLContext, timeout: float) -> None:
        super().__init__(place.host, place.port, timeout=timeout)
        self._place = place
        self._address = address
        self._trust = trust
        self.timing = Timing()

    def connect(self) -> None:
        place, began = self._place, time.perf_counter()
        try:
            raw = connect(self._address, place.port, self.timeout or 0)
        except ConnectionError:
            raise
        except OSError as error:
            raise CouldNotLook(
                f"connect to {self._address} port {place.port} for {place.origin}",
                seen=f"{error.strerror or str(error) or type(error).__name__}",
                remedy="see whether the address can be reached from where this runs",
            ) from None
        connected = time.perf_counter()
        self.sock = raw
        if place.scheme == "https":
            try:
                self.sock = self._trust.wrap_socket(raw, server_hostname=place.sni or place.host)
            except OSError:
                raw.close()
                raise
        self.timing = Timing(connect=_ms(began, connected), tls=_ms(connected, time.perf_counter()))


def _ms(began: float, ended: float) -> float:
    return round((ended - began) * 1000, 2)


def exchange(
    place: Place,
    address: str,
    outgoing: Outgoing,
    trust: ssl.SSLContext,
    timeout: float,
    jar: dict[str, str] | None = None,
) -> Exchange:
    """Send and receive on a connection of its own; *timeout* seconds for each phase, twice that for all of it.

    Cookies that are set go into *jar* with their values; the answer holds their names only.

    Raises CouldNotLook if no connection came about for another reason than a refusal.
    """
    began = time.perf_counter()
    connection = _Connection(place, address, trust, timeout)
    answer = Exchange(f"{place.origin}{outgoing.path}", address, None)
    try:
        answer = _ask(connection, place, outgoing, answer, began + 2 * timeout, {} if jar is None else jar)
    except (OSError, http.client.HTTPException) as error:
        answer = replace(answer, error=_said(error, timeout))
    finally:
        connection.close()
    phases = replace(connection.timing, first_byte=answer.timing.first_byte, total=_ms(began, time.perf_counter()))
    return replace(answer, timing=phases)


def _ask(
    connection: _Connection, place: Place, outgoing: Outgoing, answer: Exchange, deadline: float, jar: dict[str, str]
) -> Exchange:
    ours = {"Host": place.authority, "User-Agent": AGENT, "Accept": "*/*", "Connection": "close"}
    given = {name.lower() for name, _ in outgoing.headers}
    headers = {name: value for name, value in ours.items() if name.lower() not in given} | dict(outgoing.headers)
    connection.request(outgoing.method, outgoing.path, body=outgoing.body, headers=headers)
    sent = time.perf_counter()
    response = connection.getresponse()
    first_byte = _ms(sent, time.perf_counter())
    digest, size, kept = _read(response, deadline)
    for cookie in response.headers.get_all("Set-Cookie", ()):
        name, _, value = cookie.partition(";")[0].partition("=")
        jar[name.strip()] = value
    return replace(
        answer,
        status=response.status,
        headers=tuple((name.lower(), without_cookies(name, value)) for name, value in response.getheaders()),
        body=kept.decode(_charset(response), "replace"),
        body_sha256=digest,
        body_bytes=size,
        timing=Timing(first_byte=first_byte),
    )


def _read(response: http.client.HTTPResponse, deadline: float) -> tuple[str, int, bytes]:
    """Digest, length and beginning of the body. Raises TimeoutError past *deadline*, IncompleteRead if cut off."""
    digest, size, kept = hashlib.sha256(), 0, b""
    while chunk := response.read1(65536):  # read() would wait for all of it, however slowly it drips
        digest.update(chunk)
        size += len(chunk)
        if len(kept) < BODY_KEPT:
            kept += chunk[: BODY_KEPT - len(kept)]
        if time.perf_counter() > deadline:
            raise TimeoutError
        if size >= BODY_READ:
            return digest.hexdigest(), size, kept
    if response.length:  # what Content-Length promised and did not come
        raise http.client.IncompleteRead(b"", response.length)
    return digest.hexdigest(), size, kept


def _charset(response: http.client.HTTPResponse) -> str:
    named = response.headers.get_content_charset("utf-8")
    try:
        "".encode(named)
    except LookupError:
        return "utf-8"
    return named


def without_cookies(name: str, value: str) -> str:
    """A header's value as it may be kept: a cookie's own value is a session, its name and attributes are not."""
    if name.lower() != "set-cookie":
        return value
    cookie, separator, attributes = value.partition(";")
    return cookie.partition("=")[0] + "=…" + separator + attributes


def _said(error: OSError | http.client.HTTPException, timeout: float) -> str:
    """What a server did to us, its kind first."""
    for kind, said in (
        (ssl.SSLCertVerificationError, f"certificate: {getattr(error, 'verify_message', '')}"),
        (ssl.SSLError, f"TLS: {getattr(error, 'reason', None) or error}".replace("_", " ")),
        (TimeoutError, f"no answer: connected, then nothing within {timeout:g} s"),
        (ConnectionRefusedError, "refused: nothing listens on the port"),
        ((ConnectionError, http.client.IncompleteRead), f"cut off: {type(error).__name__} {error}".rstrip()),
        (OSError, f"network: {error}"),
    ):
        if isinstance(error, kind):
            return said
    return f"not HTTP: {type(error).__name__} {error}".rstrip()
