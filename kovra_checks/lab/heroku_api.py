"""The lab's Heroku: the Platform API and the data API, with their paging, versioning and error bodies."""

from __future__ import annotations

import copy
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kovra_checks.lab import heroku_documents as documents
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.api_server import ApiError, ApiServer, bearer_is, body_object, route
from kovra_checks.lab.exchange import Request, Response, json_response

__all__ = ["HerokuApi"]

VERSION = re.compile(r"application/vnd\.heroku\+json; ?version=3(\.sdk)?")
RANGE = re.compile(r"(\w+) (?:(\]?)([^.;\s]*)\.\.)?[^;]*(?:; *(.*))?")
POOL = 4500  # requests an account may have saved up
State = dict[str, Any]
OnScale = Callable[[str, Mapping[str, int]], None]
OnMaintenance = Callable[[str, bool], None]
OnDomain = Callable[[str, str, bool], None]
OnConfig = Callable[[str, Mapping[str, str]], None]


class HerokuApi:
    """Two servers over one state.

    Args:
        addresses: Of the lab.
        certificate: Certificate chain and key (PEM), valid for both addresses.
        token: The one bearer token that opens it.
    """

    def __init__(self, addresses: Addresses, certificate: tuple[str, str], token: str) -> None:
        self.state: State = {"apps": {}}
        self.page_size = 200  # the vendor's own; the most one answer holds
        self.tokens_left = POOL
        self.refill = 1.25  # tokens a second: the vendor's 75 a minute
        self._refilled = time.monotonic()
        self._token = token
        self._lock = threading.RLock()
        self._on_scale: list[OnScale] = []
        self._on_maintenance: list[OnMaintenance] = []
        self._on_domain: list[OnDomain] = []
        self._on_config: list[OnConfig] = []
        port = addresses.https_port
        self.platform = ApiServer(
            addresses.heroku_api, port, certificate, self._platform_routes(),
            guard=self._guard_platform, tell=_tell, lock=self._lock,
        )  # fmt: skip
        self.data = ApiServer(
            addresses.heroku_data_api, port, certificate, self._data_routes(),
            guard=self._guard, tell=_tell, lock=self._lock,
        )  # fmt: skip

    def start(self) -> None:
        """Listen on both addresses."""
        self.platform.start()
        self.data.start()

    def stop(self) -> None:
        """Close both. Does nothing when stopped."""
        self.platform.stop()
        self.data.stop()

    def save(self) -> State:
        """The state as JSON data."""
        with self._lock:
            return copy.deepcopy(self.state)

    def load(self, state: State) -> None:
        """State as saved."""
        with self._lock:
            self.state = copy.deepcopy(state)

    def seed(
        self,
        *,
        app: str = "shop-web",
        commit: str,
        config: Mapping[str, str],
        domain: str = "shop.example.test",
        dns_target: str = "quiet-pine-1234.herokudns.test",
        commands: Mapping[str, str] | None = None,
        database: str = "postgresql-curved-12345",
        version: str = "17",
    ) -> None:
        """Create the app as it stands before the move: one dyno of each process type, a PostgreSQL add-on, a domain."""
        state = documents.new_app(app, commit=commit)
        commands = {"web": "gunicorn shop:app", "clock": "python -m shop.clock"} if commands is None else commands
        state["formation"] = {kind: {"quantity": 1, "command": command} for kind, command in commands.items()}
        state["config"] = dict(config)
        state["domains"] = {domain: {"cname": dns_target, "acm_status": "cert issued"}}
        state["addons"] = [{
            "name": database, "service": "heroku-postgresql", "plan": "heroku-postgresql:standard-0",
            "config_vars": ["DATABASE_URL"], "version": version, "num_bytes": 8_000_000, "database": "shop",
        }]  # fmt: skip
        with self._lock:
            self.state["apps"][app] = state

    def on_scale(self, callback: OnScale) -> None:
        """Have `callback(app, counts)` called with the counts of all process types after each change of one."""
        self._on_scale.append(callback)

    def on_maintenance(self, callback: OnMaintenance) -> None:
        """Have `callback(app, on)` called after maintenance mode was switched."""
        self._on_maintenance.append(callback)

    def on_domain(self, callback: OnDomain) -> None:
        """Have `callback(app, hostname, attached)` called after a custom domain came or went."""
        self._on_domain.append(callback)

    def on_config(self, callback: OnConfig) -> None:
        """Have `callback(app, config)` called after config vars were changed: the platform restarts the app then."""
        self._on_config.append(callback)

    def edit(self, app: str) -> State:
        """The live state of *app*, for the world and its faults to change."""
        found: State = self.state["apps"][app]
        return found

    def _platform_routes(self) -> tuple[Any, ...]:
        return (
            route("GET", "/account/rate-limits", lambda _r, _p: self._ok({"remaining": self.tokens_left})),
            route("GET", "/apps", self._list_apps),
            route("GET", "/apps/{app}", lambda _r, p: self._ok(documents.app(self._app(p)))),
            route("PATCH", "/apps/{app}", self._patch_app),
            route("GET", "/apps/{app}/formation", self._list_formation),
            route("PATCH", "/apps/{app}/formation", self._patch_formation),
            route("GET", "/apps/{app}/config-vars", lambda _r, p: self._ok(self._app(p)["config"])),
            route("PATCH", "/apps/{app}/config-vars", self._patch_config),
            route("GET", "/apps/{app}/domains", self._list_domains),
            route("POST", "/apps/{app}/domains", self._add_domain),
            route("DELETE", "/apps/{app}/domains/{domain}", self._remove_domain),
            route("GET", "/apps/{app}/addons", self._list_addons),
            route("GET", "/apps/{app}/releases", self._list_releases),
            route("GET", "/apps/{app}/slugs/{slug}", self._slug),
            route("GET", "/apps/{app}/builds", self._list_builds),
        )

    def _data_routes(self) -> tuple[Any, ...]:
        return (
            route("GET", "/client/v11/databases/{database}", self._database),
            route("POST", "/client/v11/databases/{database}/backups", self._capture),
            route("GET", "/client/v11/apps/{app}/transfers", self._transfers),
            route("GET", "/client/v11/apps/{app}/transfers/{transfer}", self._transfer),
        )

    def _guard(self, request: Request) -> None:
        if not bearer_is(request, self._token):
            raise ApiError(401, "unauthorized", "Invalid credentials provided.")
        earned = int((time.monotonic() - self._refilled) * self.refill)
        if earned:
            self._refilled = time.monotonic()
            self.tokens_left = min(POOL, self.tokens_left + earned)
        if self.tokens_left <= 0:
            raise ApiError(429, "rate_limit", "Your account has reached the API rate limit.")
        self.tokens_left -= 1

    def _guard_platform(self, request: Request) -> None:
        if VERSION.fullmatch(request.headers.get("accept", "")) is None:
            raise ApiError(406, "not_acceptable", "Specify an API version, e.g. version=3, in the Accept header.")
        self._guard(request)

    def _ok(self, data: Any, status: int = 200, *headers: tuple[str, str]) -> Response:
        return json_response(status, data, *_standard(self.tokens_left), *headers)

    def _app(self, parts: Mapping[str, str]) -> State:
        for name, state in self.state["apps"].items():
            if parts["app"] in (name, documents.identity("app", name)):
                found: State = state
                return found
        raise ApiError(404, "not_found", "Couldn't find that app.")

    def _page(self, request: Request, rows: list[State], keys: tuple[str, ...] = ("id",)) -> Response:
        """One page of *rows* by the Range header; 206 with Next-Range while there is more."""
        asked = RANGE.fullmatch(request.headers.get("range", f"{keys[0]} .."))
        if asked is None or asked[1] not in keys:
            raise ApiError(416, "requested_range_not_satisfiable", f"Sortable by {', '.join(keys)} only.")
        key, exclusive, start = asked[1], asked[2], asked[3]
        options = dict(part.strip().partition("=")[::2] for part in (asked[4] or "").split(",") if part.strip())
        size = min(int(options.get("max", self.page_size)), self.page_size)
        descending = options.get("order") == "desc"
        rows = sorted(rows, key=lambda row: row[key], reverse=descending)
        if start and exclusive:
            place = next((number for number, row in enumerate(rows) if str(row[key]) == start), len(rows))
            rows = rows[place + 1 :]
        if len(rows) <= size:
            return self._ok(rows)
        order = "order=desc, " if descending else ""
        following = f"{key} ]{rows[size - 1][key]}..; {order}max={size}"
        return self._ok(rows[:size], 206, ("Next-Range", following), ("Content-Range", f"{key} .."))

    def _list_apps(self, request: Request, _parts: Mapping[str, str]) -> Response:
        return self._page(request, [documents.app(state) for state in self.state["apps"].values()], ("id", "name"))

    def _patch_app(self, request: Request, parts: Mapping[str, str]) -> Response:
        state, body = self._app(parts), body_object(request)
        if isinstance(body.get("maintenance"), bool):
            state["maintenance"] = body["maintenance"]
            for callback in self._on_maintenance:
                callback(state["name"], state["maintenance"])
        return self._ok(documents.app(state))

    def _list_formation(self, request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        rows = [documents.formation(state, process) for process in state["formation"]]
        return self._page(request, rows, ("id", "type"))

    def _patch_formation(self, request: Request, parts: Mapping[str, str]) -> Response:
        state, updates = self._app(parts), body_object(request).get("updates")
        if not isinstance(updates, list) or any(not isinstance(one, dict) for one in updates):
            raise ApiError(422, "invalid_params", "updates is missing.")
        for update in updates:
            if update.get("type") not in state["formation"]:
                raise ApiError(404, "not_found", "Couldn't find that process type.")
        for update in updates:
            state["formation"][update["type"]]["quantity"] = int(update["quantity"])
        counts = {process: facts["quantity"] for process, facts in state["formation"].items()}
        for callback in self._on_scale:
            callback(state["name"], counts)
        return self._ok([documents.formation(state, process) for process in sorted(state["formation"])])

    def _patch_config(self, request: Request, parts: Mapping[str, str]) -> Response:
        state, body = self._app(parts), body_object(request)
        attached = {name for addon in state["addons"] for name in addon["config_vars"]}
        if taken := sorted(attached & set(body)):
            raise ApiError(422, "invalid_params", f"Cannot overwrite attachment values {', '.join(taken)}.")
        for name, value in body.items():
            if value is None:
                state["config"].pop(name, None)
            else:
                state["config"][name] = str(value)
        newest = state["releases"][-1]
        release = {**newest, "version": newest["version"] + 1, "description": f"Set {', '.join(sorted(body))} vars"}
        state["releases"].append(release)
        for callback in self._on_config:
            callback(state["name"], dict(state["config"]))
        return self._ok(state["config"])

    def _list_domains(self, request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        rows = [documents.domain(state, hostname) for hostname in state["domains"]]
        return self._page(request, rows, ("id", "hostname"))

    def _add_domain(self, request: Request, parts: Mapping[str, str]) -> Response:
        state, hostname = self._app(parts), str(body_object(request).get("hostname", ""))
        if not hostname or hostname in state["domains"]:
            raise ApiError(422, "invalid_params", "hostname is missing or in use.")
        cname = f"{documents.identity('dns', hostname)[:8]}.herokudns.test"
        state["domains"][hostname] = {"cname": cname, "acm_status": "pending"}
        self._tell_domain(state["name"], hostname, attached=True)
        return self._ok(documents.domain(state, hostname), 201)

    def _remove_domain(self, _request: Request, parts: Mapping[str, str]) -> Response:
        state, hostname = self._app(parts), parts["domain"]
        if hostname not in state["domains"]:
            raise ApiError(404, "not_found", "Couldn't find that domain name.")
        gone = documents.domain(state, hostname)
        del state["domains"][hostname]
        self._tell_domain(state["name"], hostname, attached=False)
        return self._ok(gone)

    def _tell_domain(self, app: str, hostname: str, *, attached: bool) -> None:
        for callback in self._on_domain:
            callback(app, hostname, attached)

    def _list_addons(self, request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        return self._page(request, [documents.addon(state, facts) for facts in state["addons"]], ("id", "name"))

    def _list_releases(self, request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        return self._page(request, [documents.release(state, one) for one in state["releases"]], ("id", "version"))

    def _slug(self, _request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        if parts["slug"] not in state["slugs"]:
            raise ApiError(404, "not_found", "Couldn't find that slug.")
        return self._ok(documents.slug(state, parts["slug"]))

    def _list_builds(self, request: Request, parts: Mapping[str, str]) -> Response:
        state = self._app(parts)
        return self._page(request, [documents.build(state, number) for number in state["slugs"]])

    def _addon(self, name: str) -> tuple[State, State]:
        for state in self.state["apps"].values():
            for facts in state["addons"]:
                if name in (facts["name"], documents.identity("addon", facts["name"])):
                    return state, facts
        raise ApiError(404, "not_found", "Couldn't find that database.")

    def _database(self, _request: Request, parts: Mapping[str, str]) -> Response:
        return self._ok(documents.database(self._addon(parts["database"])[1]))

    def _capture(self, _request: Request, parts: Mapping[str, str]) -> Response:
        state, facts = self._addon(parts["database"])
        moment = datetime.now(UTC).isoformat()
        number = len(state["transfers"]) + 1
        transfer = {
            "uuid": str(uuid.uuid4()), "num": str(number), "from_type": "pg_dump", "to_type": "gof3r",
            "from_name": facts["config_vars"][0].removesuffix("_URL"), "to_name": "BACKUP", "warnings": 0,
            "source_bytes": facts["num_bytes"], "processed_bytes": 0, "created_at": moment, "started_at": moment,
            "finished_at": None, "succeeded": None,
        }  # fmt: skip
        state["transfers"].append(transfer)
        return self._ok(transfer, 201)

    def _transfers(self, _request: Request, parts: Mapping[str, str]) -> Response:
        """All transfers; one that was running is finished at the next look, so a client has to look again."""
        state = self._app(parts)
        told = copy.deepcopy(state["transfers"])
        for transfer in state["transfers"]:
            _finish(transfer)
        return self._ok(told)

    def _transfer(self, _request: Request, parts: Mapping[str, str]) -> Response:
        for transfer in self._app(parts)["transfers"]:
            if parts["transfer"] in (transfer["uuid"], transfer["num"]):
                told = dict(transfer)
                _finish(transfer)
                return self._ok(told)
        raise ApiError(404, "not_found", "Couldn't find that transfer.")


def _finish(transfer: State) -> None:
    if transfer["finished_at"] is None:
        moment = datetime.now(UTC).isoformat()
        transfer |= {"finished_at": moment, "succeeded": True, "processed_bytes": transfer["source_bytes"]}


def _standard(left: int) -> tuple[tuple[str, str], ...]:
    return ("Request-Id", str(uuid.uuid4())), ("RateLimit-Remaining", str(left))


def _tell(error: ApiError) -> Response:
    return json_response(error.status, {"id": error.code, "message": error.message}, *_standard(0))
