"""The lab's edges: SNI, Host, redirects, connections."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response, json_response
from kovra_checks.lab.oauth_provider import OAuthProvider
from kovra_checks.lab.object_store import ObjectStore

HOST = "shop.example.test"


class Echo:
    """Answers what it was asked."""

    def handle(self, request: Request) -> Response:
        """Answer."""
        return json_response(200, {"path": request.path, "query": request.query, "body": request.body.decode()})


@dataclass(frozen=True)
class Served:
    """An edge with two addresses and its certificate authority."""

    edge: Edge
    ca: LabCA

    def trust(self) -> ssl.SSLContext:
        """What clients trust."""
        return ssl.create_default_context(cafile=str(self.ca.root_file))

    def ask(self, head: str, *, address: int = 0, sni: str = HOST, body: bytes = b"") -> bytes:
        """The raw answer to one request over TLS that closes the connection."""
        place = (self.edge.addresses[address], self.edge.https_port)
        with (
            socket.create_connection(place, timeout=5) as raw,
            self.trust().wrap_socket(raw, server_hostname=sni) as tls,
        ):
            tls.sendall(head.replace("\n", "\r\n").encode() + b"Connection: close\r\n\r\n" + body)
            return b"".join(iter(lambda: tls.recv(65536), b""))


@pytest.fixture
def served(tmp_path: Path, lab_block: Addresses) -> Iterator[Served]:
    """A running edge that serves HOST."""
    ca = LabCA(tmp_path / "ca")
    chain, key = ca.issue(["default.test"])
    edge = Edge(lab_block.target_edges, 10443, 10080, (chain.decode(), key.decode()))
    chain, key = ca.issue([HOST])
    edge.set_certificate(HOST, chain.decode(), key.decode())
    edge.route(HOST, Echo())
    edge.start()
    yield Served(edge, ca)
    edge.stop()


def test_routes_by_host(served: Served) -> None:
    """A request reaches the app of its Host, in any case and with a port."""
    answer = served.ask(f"POST /a?b=c HTTP/1.1\nHost: {HOST.upper()}:10443\nContent-Length: 2\n", body=b"hi")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'{"body": "hi", "path": "/a", "query": "b=c"}\n')


def test_unknown_host_is_not_found(served: Served) -> None:
    """A Host that nobody routed is answered 404."""
    assert served.ask("GET / HTTP/1.1\nHost: nobody.test\n").startswith(b"HTTP/1.1 404")


def test_head_has_no_body(served: Served) -> None:
    """HEAD is answered with the length of the body and without the body."""
    answer = served.ask(f"HEAD / HTTP/1.1\nHost: {HOST}\n")
    assert b"Content-Length: 39\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_unknown_name_gets_the_default_certificate(served: Served) -> None:
    """A name without a certificate is shown the default one, which does not match it."""
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        served.ask("GET / HTTP/1.1\n", sni="nobody.test")


def test_certificate_can_differ_by_address(served: Served) -> None:
    """A certificate that is taken away at one address is still served at the other."""
    served.edge.remove_certificate(HOST, served.edge.addresses[1])
    assert served.ask(f"GET / HTTP/1.1\nHost: {HOST}\n").startswith(b"HTTP/1.1 200")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        served.ask(f"GET / HTTP/1.1\nHost: {HOST}\n", address=1)


def test_route_can_differ_by_address(served: Served) -> None:
    """A route that is taken away at one address stands at the other."""
    served.edge.route(HOST, None, served.edge.addresses[1])
    assert served.ask(f"GET / HTTP/1.1\nHost: {HOST}\n").startswith(b"HTTP/1.1 200")
    assert served.ask(f"GET / HTTP/1.1\nHost: {HOST}\n", address=1).startswith(b"HTTP/1.1 404")


def test_http_goes_to_https(served: Served) -> None:
    """Plain HTTP is redirected to the same place on the HTTPS port."""
    with socket.create_connection((served.edge.addresses[0], 10080), timeout=5) as plain:
        plain.sendall(f"GET /a?b=c HTTP/1.1\r\nHost: {HOST}:10080\r\n\r\n".encode())
        answer = plain.recv(65536)
    assert answer.startswith(b"HTTP/1.1 301")
    assert f"Location: https://{HOST}:10443/a?b=c\r\n".encode() in answer


def test_stop_closes_connections_in_use(served: Served) -> None:
    """Stopping ends connections that are open, also before their handshake."""
    place = (served.edge.addresses[0], 10443)
    with socket.create_connection(place, timeout=5) as silent, socket.create_connection(place, timeout=5) as raw:
        with served.trust().wrap_socket(raw, server_hostname=HOST) as tls:
            served.edge.stop()
            assert tls.recv(1) == b""
        assert silent.recv(1) == b""


def request(method: str, path: str, query: str = "", body: str = "", **headers: str) -> Request:
    """A request as an edge hands it over."""
    return Request(method, HOST, HOST, path, query, headers, body.encode(), "127.0.0.1")


CALLBACK = "https://shop.example.test/auth/callback"


def authorize(provider: OAuthProvider, **changed: str) -> Response:
    """Ask for a code."""
    asked = {"client_id": "shop", "redirect_uri": CALLBACK, "response_type": "code", "state": "s", **changed}
    return provider.handle(request("GET", "/authorize", "&".join(f"{name}={value}" for name, value in asked.items())))


def test_oauth_code_is_exchanged_once() -> None:
    """A registered redirect gets a code, which is good for one token."""
    provider = OAuthProvider("shop", "canary-1", (CALLBACK,))
    place = dict(authorize(provider).headers)["Location"]
    assert place.startswith(f"{CALLBACK}?code=")
    code = place.partition("code=")[2].partition("&")[0]
    form = f"client_id=shop&client_secret=canary-1&code={code}&redirect_uri={CALLBACK}"
    assert provider.handle(request("POST", "/token", body=form)).status == 200
    assert provider.handle(request("POST", "/token", body=form)).status == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "other"}, b"invalid_client"),
        ({"redirect_uri": "https://old.test/auth/callback"}, b"redirect_uri_mismatch"),
        ({"response_type": "token"}, b"unsupported_response_type"),
    ],
)
def test_oauth_refuses(changed: dict[str, str], error: bytes) -> None:
    """What was not registered gets no code."""
    answer = authorize(OAuthProvider("shop", "canary-1", (CALLBACK,)), **changed)
    assert answer.status == 400
    assert error in answer.body


def test_oauth_redirect_can_be_deregistered() -> None:
    """A redirect URI that is no longer registered is refused, also after a restart."""
    provider = OAuthProvider("shop", "canary-1", (CALLBACK,))
    provider.deregister(CALLBACK)
    restarted = OAuthProvider("shop", "canary-1", (CALLBACK,))
    restarted.load(provider.save())
    assert authorize(restarted).status == 400
    restarted.register(CALLBACK)
    assert authorize(restarted).status == 302


def test_oauth_wants_the_secret() -> None:
    """A token is not given for a wrong client secret."""
    provider = OAuthProvider("shop", "canary-1", (CALLBACK,))
    assert provider.handle(request("POST", "/token", body="client_id=shop&client_secret=x&code=y")).status == 401


def test_object_store_keeps_objects() -> None:
    """An object put with the right credentials can be read, also after a restart."""
    store = ObjectStore("uploads", "shop", "canary-2")
    signed = {"authorization": "Basic c2hvcDpjYW5hcnktMg=="}
    assert store.handle(request("PUT", "/uploads/a", body="x", **signed)).status == 200
    restarted = ObjectStore("uploads", "shop", "canary-2")
    restarted.load(store.save())
    assert restarted.handle(request("GET", "/uploads/a")).body == b"x"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/uploads/a", 403), ("GET", "/uploads/a", 404), ("GET", "/other/a", 404), ("GET", "/uploads", 200)],
)
def test_object_store_refuses(method: str, path: str, status: int) -> None:
    """Writing needs credentials; what is not there is not found; the bucket itself is."""
    assert ObjectStore("uploads", "shop", "canary-2").handle(request(method, path)).status == status
