"""The sample shop over a real database."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from fix_lab import fresh_block
from psycopg import sql

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response
from kovra_checks.lab.oauth_provider import OAuthProvider
from kovra_checks.lab.object_store import ObjectStore
from kovra_checks.lab.postgres import PgServer
from kovra_checks.lab.sample_app import Behaviour, Gone, ShopApp
from kovra_checks.lab.seed import seed
from kovra_checks.lab.setting import BUCKET, DOMAIN, OAUTH_CLIENT, Keys, callback_url, source_variables
from kovra_checks.waiting import wait_for

KEYS = Keys()


@dataclass(frozen=True)
class Shop:
    """A shop, its database and the parties outside."""

    app: ShopApp
    server: PgServer
    oauth: OAuthProvider

    def ask(self, method: str, path: str, body: str = "", *, host: str = DOMAIN, **headers: str) -> Response:
        """One request as an edge hands it over."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        return self.app.handle(Request(method, host, host, path, query, named, body.encode(), "127.0.0.1"))

    def order(self, reference: str) -> Response:
        """Place an order."""
        return self.ask("POST", "/orders", json.dumps({"reference": reference, "product_id": 1}))

    def admin(self, statement: str) -> None:
        """Do something as the database's administrator."""
        with self.server.admin("postgres") as session:
            session.execute(statement)

    def count(self, table: str) -> int:
        """Rows of *table*."""
        with self.server.admin() as session:
            row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return int(row[0])

    def cut_sessions(self) -> None:
        """End every session of the shop, as a restart or a fence would."""
        self.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shop'")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Addresses, str]]:
    """One shop for the module, with a database server and the parties outside."""
    folder, addresses = tmp_path_factory.mktemp("shop"), fresh_block()
    ca = LabCA(folder / "ca")
    chain, key = ca.issue([addresses.oauth_provider, addresses.object_store])
    outside = Edge([addresses.oauth_provider, addresses.object_store], 10443, 10080, (chain.decode(), key.decode()))
    oauth = OAuthProvider(OAUTH_CLIENT, KEYS.oauth, (callback_url(addresses),))
    outside.route(addresses.oauth_provider, oauth)
    outside.route(addresses.object_store, ObjectStore(BUCKET, "shop-uploader", KEYS.bucket))
    server = PgServer(folder / "pg", addresses.source_postgres, addresses.postgres_port)
    outside.start()
    server.start()
    server.create_role_and_database("shop", KEYS.source_password, "shop")
    url = server.url("shop", KEYS.source_password)
    seed(url)
    variables = source_variables(addresses, KEYS, url)
    app = ShopApp(variables, ca_file=str(ca.root_file), job_interval=0.05)
    app.start()
    yield Shop(app, server, oauth), addresses, url
    app.stop()
    server.remove()
    outside.stop()


@pytest.fixture
def shop(running: tuple[Shop, Addresses, str]) -> Iterator[Shop]:
    """The shop, healthy again after each test."""
    yield running[0]
    running[0].app.behaviour = Behaviour()


@pytest.mark.parametrize(
    ("path", "contains"),
    [
        ("/", b"<h1>Pine &amp; Tide</h1>"),
        ("/", b'<link rel="canonical" href="https://shop.example.test:10443/">'),
        ("/healthz", b'"status": "ok"'),
        ("/healthz/db", b'"database": "ok"'),
        ("/products", b'"name": '),
        ("/orders/1", b'"reference": "SEED-000001"'),
    ],
)
def test_reads(shop: Shop, path: str, contains: bytes) -> None:
    """A healthy shop answers its pages from the database."""
    answer = shop.ask("GET", path)
    assert answer.status == 200
    assert contains in answer.body


@pytest.mark.parametrize("path", ["/nothing", "/orders/x", "/orders/999999999", "/orders/²"])
def test_unknown_is_not_found(shop: Shop, path: str) -> None:
    """What the shop does not have is 404."""
    assert shop.ask("GET", path).status == 404


def test_order_is_stored_before_it_is_acknowledged(shop: Shop) -> None:
    """A placed order can be read at once, and placing it again gives the same id."""
    answer = shop.order("first")
    assert answer.status == 201
    placed = json.loads(answer.body)
    assert json.loads(shop.ask("GET", f"/orders/{placed['id']}").body)["reference"] == "first"
    assert json.loads(shop.order("first").body) == placed


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"reference": ""}', '{"reference": 1}'])
def test_order_needs_a_reference(shop: Shop, body: str) -> None:
    """An order without a usable reference is refused."""
    assert shop.ask("POST", "/orders", body).status == 422


def test_frozen_database_defers_orders(shop: Shop) -> None:
    """A read-only database defers orders with 503 and Retry-After, goes on reading, and takes orders again later."""
    shop.admin("ALTER DATABASE shop SET default_transaction_read_only = on")
    shop.cut_sessions()
    try:
        deferred = shop.order("frozen")
        assert deferred.status == 503
        assert ("Retry-After", "1") in deferred.headers
        assert shop.ask("GET", "/products").status == 200
    finally:
        shop.admin("ALTER DATABASE shop RESET default_transaction_read_only")
        shop.cut_sessions()
    assert shop.order("frozen").status == 201


def test_cut_sessions_are_replaced(shop: Shop) -> None:
    """Requests after every session was ended are answered as if nothing had happened."""
    for number in range(5):
        shop.cut_sessions()
        assert shop.ask("GET", "/products").status == 200
        assert shop.order(f"cut-{number}").status == 201


def test_session_is_signed_with_the_secret_key(shop: Shop) -> None:
    """A session cookie is accepted while its signature is ours, and not when it was changed."""
    cookie = dict(shop.ask("POST", "/sessions", '{"user": "ada"}').headers)["Set-Cookie"].partition(";")[0]
    assert shop.ask("GET", "/sessions", cookie=cookie).status == 200
    assert shop.ask("GET", "/sessions", cookie=cookie.replace("ada", "eve")).status == 401
    assert shop.ask("GET", "/sessions").status == 401
    assert shop.ask("POST", "/sessions", "{}").status == 422


def signature(body: str, secret: str = KEYS.webhook) -> str:
    """The payment provider's signature."""
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def test_webhook_is_verified_and_stored(shop: Shop) -> None:
    """A signed payment is stored; a test delivery of ours is verified and not stored; a wrong signature is refused."""
    before = shop.count("payments")
    paid, test = '{"paid": 1}', '{"test": true, "origin": "kovra-checks"}'
    assert shop.ask("POST", "/webhooks/payments", paid, x_signature=signature(paid)).status == 200
    assert shop.ask("POST", "/webhooks/payments", test, x_signature=signature(test)).status == 200
    assert shop.ask("POST", "/webhooks/payments", paid, x_signature=signature(paid, "guess")).status == 401
    assert shop.ask("POST", "/webhooks/payments", paid).status == 401
    assert shop.ask("POST", "/webhooks/payments", "[]", x_signature=signature("[]")).status == 422
    assert shop.count("payments") == before + 1


def code_of(shop: Shop) -> str:
    """A fresh code, by way of the shop's own login link and the provider's answer."""
    place = dict(shop.ask("GET", "/auth/login").headers)["Location"]
    path, _, query = place.removeprefix("https://").partition("/")[2].partition("?")
    asked = Request("GET", "login", "login", f"/{path}", query, {}, b"", "127.0.0.1")
    return dict(shop.oauth.handle(asked).headers)["Location"].partition("code=")[2].partition("&")[0]


def test_login_comes_back(shop: Shop) -> None:
    """A code from the provider signs in once; at another host, without a code or with a used one it does not."""
    code = code_of(shop)
    assert shop.ask("GET", f"/auth/callback?code={code}", host="shop-web.herokuapp.test").status == 403
    assert shop.ask("GET", f"/auth/callback?code={code}").status == 200
    assert shop.ask("GET", f"/auth/callback?code={code}").status == 401
    assert shop.ask("GET", "/auth/callback").status == 400


def test_upload_lands_in_object_storage(shop: Shop) -> None:
    """An upload is stored outside; without the right credentials it is not acknowledged."""
    assert shop.ask("POST", "/uploads", "photo").status == 201
    kept = shop.app.variables["AWS_SECRET_ACCESS_KEY"]
    shop.app.variables["AWS_SECRET_ACCESS_KEY"] = "wrong"
    try:
        assert shop.ask("POST", "/uploads", "photo").status == 502
    finally:
        shop.app.variables["AWS_SECRET_ACCESS_KEY"] = kept


@pytest.mark.parametrize(
    ("change", "method", "path", "status"),
    [
        (Behaviour(unhealthy=True), "GET", "/healthz", 503),
        (Behaviour(unhealthy=True), "GET", "/products", 200),
        (Behaviour(database_down=True), "GET", "/healthz/db", 503),
        (Behaviour(database_down=True), "GET", "/healthz", 200),
        (Behaviour(error_rate=1), "GET", "/", 500),
        (Behaviour(missing_paths=("/products",)), "GET", "/products", 404),
        (Behaviour(oauth_fails=True), "GET", "/auth/callback?code=x", 502),
        (Behaviour(extra_latency=0.01), "GET", "/", 200),
    ],
)
def test_misbehaves_as_told(shop: Shop, change: Behaviour, method: str, path: str, status: int) -> None:
    """Each behaviour changes what it names and nothing else."""
    shop.app.behaviour = change
    assert shop.ask(method, path).status == status


def test_misbehaviour_in_bodies(shop: Shop) -> None:
    """A wrong body names another shop, a mention is on the home page, a lost write is acknowledged and not there."""
    right = shop.ask("GET", "/products").body
    shop.app.behaviour = Behaviour(wrong_body=True, mentions="https://old.test/", loses_writes=True)
    assert shop.ask("GET", "/products").body != right
    assert b"https://old.test/" in shop.ask("GET", "/").body
    before = shop.count("orders")
    assert shop.order("lost").status == 201
    assert shop.count("orders") == before


def test_webhook_rejected_as_told(shop: Shop) -> None:
    """Webhooks can be refused although their signature is right."""
    shop.app.behaviour = Behaviour(webhook_rejects=True)
    assert shop.ask("POST", "/webhooks/payments", "{}", x_signature=signature("{}")).status == 401


def test_job_runs_where_it_is_scheduled(shop: Shop) -> None:
    """A scheduled job leaves rows; an unscheduled one leaves no more."""
    before = shop.count("job_runs")
    shop.app.scheduler.schedule("nightly")
    assert "nightly" in shop.app.scheduler.jobs
    grown: Callable[[], bool | None] = lambda: shop.count("job_runs") > before or None  # noqa: E731 -- one expression
    assert wait_for(grown, deadline=5, every=0.02)
    shop.app.scheduler.unschedule("nightly")
    assert not shop.app.scheduler.jobs


def test_same_data_same_answers(running: tuple[Shop, Addresses, str], tmp_path: Path) -> None:
    """Two shops over the same data answer alike, byte for byte."""
    shop, addresses, url = running
    assert tmp_path.exists()
    other = ShopApp(source_variables(addresses, KEYS, url))
    other.start()
    try:
        for path in ("/", "/products", "/orders/2", "/healthz/db"):
            asked = Request("GET", DOMAIN, DOMAIN, path, "", {}, b"", "127.0.0.1")
            assert other.handle(asked).body == shop.app.handle(asked).body
    finally:
        other.stop()


def test_stopped_shop_says_so(running: tuple[Shop, Addresses, str]) -> None:
    """A stopped instance answers nothing, so that its successor can."""
    _, addresses, url = running
    other = ShopApp(source_variables(addresses, KEYS, url))
    other.start()
    other.stop()
    with pytest.raises(Gone):
        other.handle(Request("GET", DOMAIN, DOMAIN, "/", "", {}, b"", "127.0.0.1"))


def test_without_a_database_only_the_rest_works() -> None:
    """A shop without DATABASE_URL is alive and answers 503 where it needs data."""
    app = ShopApp({"SHOP_NAME": "x"})
    app.start()
    try:
        for path, status in {"/healthz": 200, "/products": 503, "/healthz/db": 503}.items():
            assert app.handle(Request("GET", DOMAIN, DOMAIN, path, "", {}, b"", "127.0.0.1")).status == status
        assert app.handle(Request("POST", DOMAIN, DOMAIN, "/uploads", "", {}, b"x", "127.0.0.1")).status == 201
    finally:
        app.stop()


def test_urls_hold_canaries() -> None:
    """Every secret of the lab can be found by one word."""
    assert all(value.startswith("canary") and len(value) == 44 for value in KEYS.save().values())
    assert psycopg.conninfo.conninfo_to_dict(f"postgresql://shop:{KEYS.source_password}@h/d")["user"] == "shop"
