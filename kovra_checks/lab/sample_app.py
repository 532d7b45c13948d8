"""A small shop over PostgreSQL: the app that moves. It knows its environment variables and nothing of where it runs."""

from __future__ import annotations

import hashlib
import hmac
import random
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import httpx
import psycopg

from kovra_checks.lab.exchange import Request, Response, html, json_response, problem
from kovra_checks.lab.shop_data import Deferred, ShopData
from kovra_checks.lab.shop_jobs import Scheduler
from kovra_checks.waiting import pause

__all__ = ["Behaviour", "Gone", "ShopApp"]

RETRY_AFTER = ("Retry-After", "1")
Route = Callable[[Request], Response]


@dataclass(slots=True)
class Behaviour:
    """How an app misbehaves; changed while it runs. The default is a healthy app.

    Attributes:
        unhealthy: `/healthz` answers 503.
        database_down: Everything that needs the database answers 503, as if it could not be reached.
        wrong_body: Pages name another shop.
        error_rate: Share of requests answered 500, from 0 to 1.
        error_paths: The only paths that `error_rate` is about; all if empty.
        extra_latency: Seconds added to every answer.
        webhook_rejects: Webhooks are refused although their signature is right.
        oauth_fails: Logins fail although the provider agrees.
        loses_writes: Orders are acknowledged and not stored.
        missing_paths: Paths that answer 404.
        mentions: Text added to the home page, e.g. a link to an old host.
    """

    unhealthy: bool = False
    database_down: bool = False
    wrong_body: bool = False
    error_rate: float = 0.0
    error_paths: tuple[str, ...] = ()
    extra_latency: float = 0.0
    webhook_rejects: bool = False
    oauth_fails: bool = False
    loses_writes: bool = False
    missing_paths: tuple[str, ...] = ()
    mentions: str = ""


class Gone(Exception):
    """This instance was stopped; its successor answers."""


class ShopApp:
    """The shop.

    Args:
        variables: Its environment. DATABASE_URL, SECRET_KEY, WEBHOOK_SECRET, OAUTH_URL, OAUTH_CLIENT_ID,
            OAUTH_CLIENT_SECRET, OAUTH_CALLBACK_HOST, PUBLIC_URL, SHOP_NAME, S3_ENDPOINT, S3_BUCKET,
            AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. What is missing breaks only what needs it.
        ca_file: Extra trust roots of the machine it runs on, for its calls to others.
        job_interval: Seconds between runs of each scheduled job (the lab's compressed schedule).
    """

    def __init__(self, variables: Mapping[str, str], *, ca_file: str | None = None, job_interval: float = 1.0) -> None:
        self.variables = dict(variables)
        self.behaviour = Behaviour()
        self.data = ShopData(self.variables.get("DATABASE_URL", ""))
        self.scheduler = Scheduler(self._run_job, job_interval)
        self._ca_file = ca_file
        self._http: httpx.Client | None = None
        self._disk: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._in_flight = 0
        self._stopped = False
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/"): self._home,
            ("GET", "/healthz"): self._health,
            ("GET", "/healthz/db"): self._database_health,
            ("GET", "/products"): self._products,
            ("POST", "/orders"): self._place_order,
            ("GET", "/sessions"): self._session,
            ("POST", "/sessions"): self._sign_in,
            ("POST", "/uploads"): self._upload,
            ("POST", "/webhooks/payments"): self._payment,
            ("GET", "/auth/login"): self._login,
            ("GET", "/auth/callback"): self._callback,
        }

    def start(self) -> None:
        """Connect to the database in the background and start the scheduler."""
        self.data.start()
        self.scheduler.start()

    def stop(self) -> None:
        """Finish the requests in hand (five seconds at most), stop the scheduler and close all connections."""
        with self._idle:
            self._stopped = True
            self._idle.wait_for(lambda: self._in_flight == 0, timeout=5)
        self.scheduler.stop()
        self.data.stop()
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises Gone once stopped."""
        with self._idle:
            if self._stopped:
                raise Gone
            self._in_flight += 1
        try:
            return self._respond(request)
        finally:
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def _respond(self, request: Request) -> Response:
        behaviour = self.behaviour
        if behaviour.extra_latency:
            pause(behaviour.extra_latency)
        erring = not behaviour.error_paths or request.path in behaviour.error_paths
        if behaviour.error_rate and erring and random.random() < behaviour.error_rate:
            return problem(500, "internal error")
        if request.path in behaviour.missing_paths:
            return problem(404, "not found")
        method = "GET" if request.method == "HEAD" else request.method
        route = self._routes.get((method, request.path))
        if route is None and method == "GET" and request.path.startswith("/orders/"):
            route = self._order
        if route is None:
            return problem(404, "not found")
        try:
            return route(request)
        except psycopg.Error:
            return problem(503, "database unavailable")

    def _setting(self, name: str) -> str:
        return self.variables.get(name, "")

    def _database(self) -> ShopData:
        if self.behaviour.database_down:
            raise psycopg.OperationalError("connection refused")
        return self.data

    def _run_job(self, name: str) -> None:
        self._database().record_job(name)

    def _home(self, _request: Request) -> Response:
        name = escape("Another Shop" if self.behaviour.wrong_body else self._setting("SHOP_NAME"))
        url = escape(self._setting("PUBLIC_URL"))
        count = len(self._database().products())
        policy = f"default-src 'self'; img-src 'self' {self._setting('S3_ENDPOINT')}".strip()
        return html(
            200,
            f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{name}</title>\n'
            f'<link rel="canonical" href="{url}/"></head>\n'
            f"<body><h1>{name}</h1>\n<p>{count} products</p>\n"
            f'<p><a href="{url}/products">All products</a> <a href="{url}/auth/login">Sign in</a></p>'
            f"{self.behaviour.mentions}</body></html>\n",
            ("Content-Security-Policy", policy),
        )

    def _health(self, _request: Request) -> Response:
        if self.behaviour.unhealthy:
            return json_response(503, {"status": "unhealthy"})
        return json_response(200, {"status": "ok"})

    def _database_health(self, _request: Request) -> Response:
        self._database().ping()
        return json_response(200, {"status": "ok", "database": "ok"})

    def _products(self, _request: Request) -> Response:
        products = self._database().products()
        if self.behaviour.wrong_body:
            products = [{**product, "name": "Other"} for product in products]
        return json_response(200, {"products": products})

    def _order(self, request: Request) -> Response:
        number = request.path.removeprefix("/orders/")
        if not number.isdecimal():
            return problem(404, "no such order")
        order = self._database().order(int(number))
        return problem(404, "no such order") if order is None else json_response(200, order)

    def _place_order(self, request: Request) -> Response:
        asked = request.json()
        if not isinstance(asked, dict) or not isinstance(asked.get("reference"), str) or not asked["reference"]:
            return problem(422, "an order needs a reference")
        if self.behaviour.loses_writes:
            return json_response(201, {"id": 0, "reference": asked["reference"]})
        try:
            number = self._database().place_order(asked["reference"], asked.get("product_id"))
        except Deferred:
            return problem(503, "orders are paused for a moment", RETRY_AFTER)
        return json_response(201, {"id": number, "reference": asked["reference"]})

    def _sign(self, text: str) -> str:
        return hmac.new(self._setting("SECRET_KEY").encode(), text.encode(), hashlib.sha256).hexdigest()

    def _sign_in(self, request: Request) -> Response:
        asked = request.json()
        user = asked.get("user") if isinstance(asked, dict) else None
        if not isinstance(user, str) or not user.isalnum():
            return problem(422, "a session needs a user")
        cookie = f"session={user}.{self._sign(user)}; Path=/; Secure; HttpOnly; SameSite=Lax"
        return json_response(201, {"user": user}, ("Set-Cookie", cookie))

    def _session(self, request: Request) -> Response:
        user, _, signature = request.headers.get("cookie", "").removeprefix("session=").partition(".")
        if not user or not hmac.compare_digest(signature, self._sign(user)):
            return problem(401, "not signed in")
        return json_response(200, {"user": user})

    def _upload(self, request: Request) -> Response:
        key = f"uploads/{hashlib.sha256(request.body).hexdigest()[:16]}"
        bucket, endpoint = self._setting("S3_BUCKET"), self._setting("S3_ENDPOINT")
        if not bucket or not endpoint:
            self._disk[key] = request.body  # gone with the container
            return json_response(201, {"key": key})
        credentials = (self._setting("AWS_ACCESS_KEY_ID"), self._setting("AWS_SECRET_ACCESS_KEY"))
        try:
            answer = self._client().put(f"{endpoint}/{bucket}/{key}", content=request.body, auth=credentials)
        except httpx.HTTPError:
            return problem(502, "object storage unreachable")
        if answer.status_code != 200:
            return problem(502, f"object storage answered {answer.status_code}")
        return json_response(201, {"key": key})

    def _payment(self, request: Request) -> Response:
        secret = self._setting("WEBHOOK_SECRET").encode()
        expected = "sha256=" + hmac.new(secret, request.body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(request.headers.get("x-signature", "").encode(), expected.encode())
        if not signed or self.behaviour.webhook_rejects:
            return problem(401, "signature mismatch")
        event = request.json()
        if not isinstance(event, dict):
            return problem(422, "not an event")
        if event.get("origin") != "kovra-checks":
            try:
                self._database().record_payment(event)
            except Deferred:
                return problem(503, "payments are paused for a moment", RETRY_AFTER)
        return json_response(200, {"received": True})

    def _redirect_uri(self) -> str:
        return f"{self._setting('PUBLIC_URL')}/auth/callback"

    def _login(self, _request: Request) -> Response:
        query = httpx.QueryParams(
            response_type="code", client_id=self._setting("OAUTH_CLIENT_ID"), redirect_uri=self._redirect_uri()
        )
        return Response(302, headers=(("Location", f"{self._setting('OAUTH_URL')}/authorize?{query}"),))

    def _callback(self, request: Request) -> Response:
        if request.host != self._setting("OAUTH_CALLBACK_HOST"):
            return problem(403, "logins come back to another host")
        code = request.argument("code")
        if not code:
            return problem(400, "no code")
        if self.behaviour.oauth_fails:
            return problem(502, "login failed")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri(),
            "client_id": self._setting("OAUTH_CLIENT_ID"),
            "client_secret": self._setting("OAUTH_CLIENT_SECRET"),
        }
        try:
            answer = self._client().post(f"{self._setting('OAUTH_URL')}/token", data=form)
        except httpx.HTTPError:
            return problem(502, "the login provider cannot be reached")
        if answer.status_code == 200:
            return json_response(200, {"signed_in": True})
        return problem(401 if answer.status_code == 400 else 502, "login refused by the provider")

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                trust: Any = ssl.create_default_context(cafile=self._ca_file)
                self._http = httpx.Client(verify=trust, timeout=3, trust_env=False)
            return self._http
