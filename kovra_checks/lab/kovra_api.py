"""The lab's Kovra Cloud control API.

ASSUMED throughout: Kovra's REST paths are not public. Statuses of databases and external access, the quota answer (429)
and the field `error_message` are documented; paths, other fields and bearer tokens are this project's assumption, the
same that `kovra_checks/platforms/kovra_endpoints.toml` writes down.
"""

from __future__ import annotations

import copy
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.api_server import ApiError, ApiServer, bearer_is, body_object, route
from kovra_checks.lab.exchange import Request, Response, json_response
from kovra_checks.lab.kovra_openapi import openapi_document

__all__ = ["KovraApi"]

DATABASE_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")
DATABASE_STEPS = ("pending", "provisioning", "ready")
DEPLOYMENT_STEPS = ("pending", "building", "succeeded")
DOMAIN_STEPS = ("TLS Pending", "TLS Issuing", "TLS Ready")
VERSIONS = ("15", "16", "17")
State = dict[str, Any]
OnDeploy = Callable[[str, Mapping[str, str], str | None], None]
OnDatabase = Callable[[str], str]
OnDomain = Callable[[str, str, bool], None]
OnJob = Callable[[str, Mapping[str, Any]], None]


class KovraApi:
    """One server over one tenant.

    What it creates takes a few looks to get ready: each GET of a database, deployment or domain moves it one step on.

    Args:
        addresses: Of the lab.
        certificate: Certificate chain and key (PEM), valid for the address.
        token: The one bearer token that opens it.
        domain_target: What external access tells people to point their record at.
        app_suffix: Generated hosts are `<app>` + this.
    """

    def __init__(
        self,
        addresses: Addresses,
        certificate: tuple[str, str],
        token: str,
        *,
        domain_target: str = "web.apps.kovra.test",
        app_suffix: str = ".apps.kovra.test",
    ) -> None:
        self.domain_target = domain_target
        self.app_suffix = app_suffix
        self.page_size = 50
        self.state: State = {
            "tenant": {"name": "acme", "status": "ready", "plan": "business", "database_quota": 10},
            "apps": {}, "databases": {}, "git_providers": ["github"],
        }  # fmt: skip
        self._token = token
        self._on_deploy: list[OnDeploy] = []
        self._on_database: OnDatabase | None = None
        self._on_domain: list[OnDomain] = []
        self._on_job: list[OnJob] = []
        self._on_delete: list[Callable[[str], None]] = []
        self._lock = threading.RLock()
        self.server = ApiServer(
            addresses.kovra_api, addresses.https_port, certificate, self._routes(),
            guard=self._guard, tell=_tell, lock=self._lock,
        )  # fmt: skip

    def start(self) -> None:
        """Listen."""
        self.server.start()

    def stop(self) -> None:
        """Close. Does nothing when stopped."""
        self.server.stop()

    def save(self) -> State:
        """The state as JSON data."""
        with self._lock:
            return copy.deepcopy(self.state)

    def load(self, state: State) -> None:
        """State as saved."""
        with self._lock:
            self.state = copy.deepcopy(state)

    def on_deploy(self, callback: OnDeploy) -> None:
        """Have `callback(app, variables, commit)` called when a deployment starts; the app runs when it returns."""
        self._on_deploy.append(callback)

    def on_database(self, callback: OnDatabase) -> None:
        """Have `callback(name)` create the database and return its connection URL."""
        self._on_database = callback

    def on_domain(self, callback: OnDomain) -> None:
        """Have `callback(app, domain, attached)` called after external access was switched on or off."""
        self._on_domain.append(callback)

    def on_job(self, callback: OnJob) -> None:
        """Have `callback(app, job)` called after a job was written; `job["deleted"]` is True when it went."""
        self._on_job.append(callback)

    def on_delete(self, callback: Callable[[str], None]) -> None:
        """Have `callback(app)` called after an application was deleted."""
        self._on_delete.append(callback)

    def app(self, name: str) -> State:
        """The live state of an app, for the world and its faults to change."""
        found: State = self.state["apps"][name]
        return found

    def _routes(self) -> tuple[Any, ...]:
        tenant, app = "/v1/tenants/{tenant}", "/v1/tenants/{tenant}/apps/{app}"
        return (
            route("GET", "/openapi.json", lambda _r, _p: json_response(200, openapi_document(self.server.url))),
            route("GET", tenant, self._show_tenant),
            route("GET", f"{tenant}/git-providers", self._list_providers),
            route("GET", f"{tenant}/apps", self._list_apps),
            route("POST", f"{tenant}/apps", self._create_app),
            route("GET", app, lambda _r, p: _ok(self._app(p)["facts"])),
            route("DELETE", app, self._delete_app),
            route("GET", f"{app}/variables", self._list_variables),
            route("PATCH", f"{app}/variables", self._patch_variables),
            route("POST", f"{app}/deployments", self._deploy),
            route("GET", f"{app}/deployments/{{deployment}}", self._show_deployment),
            route("GET", f"{app}/domains", self._list_domains),
            route("POST", f"{app}/domains", self._attach),
            route("DELETE", f"{app}/domains/{{domain}}", self._detach),
            route("GET", f"{app}/jobs", self._list_jobs),
            route("PUT", f"{app}/jobs/{{job}}", self._put_job),
            route("DELETE", f"{app}/jobs/{{job}}", self._delete_job),
            route("GET", f"{tenant}/databases", self._list_databases),
            route("POST", f"{tenant}/databases", self._create_database),
            route("GET", f"{tenant}/databases/{{database}}", self._show_database),
            route("DELETE", f"{tenant}/databases/{{database}}", self._delete_database),
        )

    def _guard(self, request: Request) -> None:
        if request.path != "/openapi.json" and not bearer_is(request, self._token):
            raise ApiError(401, "unauthorized", "The token is missing or not valid.")

    def _tenant(self, parts: Mapping[str, str]) -> State:
        if parts["tenant"] != self.state["tenant"]["name"]:
            raise ApiError(404, "not_found", "No such tenant.")
        found: State = self.state["tenant"]
        return found

    def _ready_tenant(self, parts: Mapping[str, str]) -> None:
        if self._tenant(parts)["status"] != "ready":
            raise ApiError(409, "tenant_not_ready", "The tenant is not ready.")

    def _app(self, parts: Mapping[str, str]) -> State:
        self._tenant(parts)
        return _found(self.state["apps"], parts["app"], "application")

    def _page(self, request: Request, rows: list[State]) -> Response:
        start = int(request.argument("cursor") or 0)
        more = start + self.page_size < len(rows)
        following = str(start + self.page_size) if more else None
        return _ok({"items": rows[start : start + self.page_size], "next": following})

    def _show_tenant(self, _request: Request, parts: Mapping[str, str]) -> Response:
        return _ok({**self._tenant(parts), "databases": len(self.state["databases"])})

    def _list_providers(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._tenant(parts)
        return self._page(request, [{"name": name} for name in sorted(self.state["git_providers"])])

    def _list_apps(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._tenant(parts)
        return self._page(request, [app["facts"] for _, app in sorted(self.state["apps"].items())])

    def _create_app(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._ready_tenant(parts)
        body = body_object(request)
        name = str(body.get("name", ""))
        if not DATABASE_NAME.fullmatch(name):
            raise ApiError(422, "invalid", "name: lowercase letters, digits and hyphens, beginning with a letter.")
        if name in self.state["apps"]:
            raise ApiError(409, "conflict", "An application with this name exists.")
        facts = {key: body.get(key) for key in ("name", "repository", "branch", "health_path", "port")}
        facts |= {"status": "created", "commit": None, "generated_host": f"{name}{self.app_suffix}", "restarts": 0}
        self.state["apps"][name] = {"facts": facts, "variables": {}, "domains": {}, "jobs": {}, "deployments": {}}
        return _ok(facts, 201)

    def _delete_app(self, _request: Request, parts: Mapping[str, str]) -> Response:
        self._app(parts)
        del self.state["apps"][parts["app"]]
        for callback in self._on_delete:
            callback(parts["app"])
        return Response(204)

    def _list_variables(self, request: Request, parts: Mapping[str, str]) -> Response:
        variables = self._app(parts)["variables"]
        return self._page(
            request, [{"name": name, "value": value, "origin": "config"} for name, value in sorted(variables.items())]
        )

    def _patch_variables(self, request: Request, parts: Mapping[str, str]) -> Response:
        variables, given = self._app(parts)["variables"], body_object(request).get("variables")
        if not isinstance(given, dict) or any(not isinstance(value, str | None) for value in given.values()):
            raise ApiError(422, "invalid", "variables: an object of strings and nulls.")
        for name, value in given.items():
            if value is None:
                variables.pop(name, None)
            else:
                variables[name] = value
        return self._list_variables(request, parts)

    def _deploy(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._ready_tenant(parts)
        app, commit = self._app(parts), body_object(request).get("commit")
        number = str(uuid.uuid4())
        for callback in self._on_deploy:
            callback(parts["app"], dict(app["variables"]), commit)
        app["deployments"][number] = {"id": number, "commit": commit, "status": DEPLOYMENT_STEPS[0]}
        app["facts"] |= {"commit": commit, "status": "running", "restarts": 0}
        return _ok(app["deployments"][number], 201)

    def _show_deployment(self, _request: Request, parts: Mapping[str, str]) -> Response:
        deployment = _found(self._app(parts)["deployments"], parts["deployment"], "deployment")
        return _advancing(deployment, DEPLOYMENT_STEPS, dict(deployment))

    def _domain(self, name: str, facts: State) -> State:
        return {"name": name, "target": self.domain_target, **facts}

    def _list_domains(self, request: Request, parts: Mapping[str, str]) -> Response:
        domains = self._app(parts)["domains"]
        page = self._page(request, [self._domain(name, facts) for name, facts in sorted(domains.items())])
        for facts in domains.values():
            _advance(facts, DOMAIN_STEPS)
        return page

    def _attach(self, request: Request, parts: Mapping[str, str]) -> Response:
        body = body_object(request)
        name = str(body.get("name", ""))
        if any(name in app["domains"] for app in self.state["apps"].values()):
            raise ApiError(409, "conflict", "The domain is attached already.")
        tls = bool(body.get("tls"))
        facts = {"status": DOMAIN_STEPS[0] if tls else "DNS Pending", "tls": tls, "retry_at": None, "message": None}
        self._app(parts)["domains"][name] = facts
        for callback in self._on_domain:
            callback(parts["app"], name, True)  # noqa: FBT003 - the callback's signature has no keywords
        return _ok(self._domain(name, facts), 201)

    def _detach(self, _request: Request, parts: Mapping[str, str]) -> Response:
        _found(self._app(parts)["domains"], parts["domain"], "domain")
        del self._app(parts)["domains"][parts["domain"]]
        for callback in self._on_domain:
            callback(parts["app"], parts["domain"], False)  # noqa: FBT003 - see above
        return Response(204)

    def _list_jobs(self, request: Request, parts: Mapping[str, str]) -> Response:
        return self._page(request, [job for _, job in sorted(self._app(parts)["jobs"].items())])

    def _put_job(self, request: Request, parts: Mapping[str, str]) -> Response:
        body = body_object(request)
        job = {key: body.get(key) for key in ("schedule", "timezone", "command", "suspended")}
        if not all(isinstance(job[key], str) for key in ("schedule", "timezone", "command")):
            raise ApiError(422, "invalid", "schedule, timezone and command are needed.")
        job |= {"name": parts["job"], "suspended": bool(job["suspended"])}
        self._app(parts)["jobs"][parts["job"]] = job
        for callback in self._on_job:
            callback(parts["app"], {**job, "deleted": False})
        return _ok(job)

    def _delete_job(self, _request: Request, parts: Mapping[str, str]) -> Response:
        job = _found(self._app(parts)["jobs"], parts["job"], "job")
        del self._app(parts)["jobs"][parts["job"]]
        for callback in self._on_job:
            callback(parts["app"], {**job, "deleted": True})
        return Response(204)

    def _list_databases(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._tenant(parts)
        return self._page(request, [_told(facts) for _, facts in sorted(self.state["databases"].items())])

    def _create_database(self, request: Request, parts: Mapping[str, str]) -> Response:
        self._ready_tenant(parts)
        body, databases = body_object(request), self.state["databases"]
        name, version = str(body.get("name", "")), body.get("version") or VERSIONS[-1]
        if not DATABASE_NAME.fullmatch(name) or version not in VERSIONS:
            raise ApiError(422, "invalid", f"name or version ({', '.join(VERSIONS)}) is not allowed.")
        if name in databases:
            raise ApiError(409, "conflict", "A database with this name exists.")
        if len(databases) >= self.state["tenant"]["database_quota"]:
            raise ApiError(429, "quota_exceeded", "The plan's database quota is used up.")
        url = "" if self._on_database is None else self._on_database(name)
        databases[name] = {
            "name": name, "version": version, "status": DATABASE_STEPS[0], "url": url, "error_message": None,
        }  # fmt: skip
        return _ok(_told(databases[name]), 201)

    def _show_database(self, _request: Request, parts: Mapping[str, str]) -> Response:
        self._tenant(parts)
        facts = _found(self.state["databases"], parts["database"], "database")
        return _advancing(facts, DATABASE_STEPS, _told(facts))

    def _delete_database(self, _request: Request, parts: Mapping[str, str]) -> Response:
        self._tenant(parts)
        _found(self.state["databases"], parts["database"], "database")
        del self.state["databases"][parts["database"]]
        return Response(204)


def _ok(data: Any, status: int = 200) -> Response:
    return json_response(status, data, ("X-Request-Id", str(uuid.uuid4())))


def _found(items: State, name: str, kind: str) -> State:
    if name not in items:
        raise ApiError(404, "not_found", f"No such {kind}.")
    found: State = items[name]
    return found


def _advance(facts: State, steps: tuple[str, ...]) -> None:
    """One step on; a status outside *steps* (failed) stays, and so does one with a message (stuck)."""
    if facts["status"] in steps[:-1] and not facts.get("message"):
        facts["status"] = steps[steps.index(facts["status"]) + 1]


def _advancing(facts: State, steps: tuple[str, ...], told: State) -> Response:
    _advance(facts, steps)
    return _ok(told)


def _told(facts: State) -> State:
    """A database as told: its URL once it is ready, not before."""
    return {**facts, "url": facts["url"] if facts["status"] == DATABASE_STEPS[-1] else None}


def _tell(error: ApiError) -> Response:
    return json_response(
        error.status, {"error": {"code": error.code, "message": error.message}}, ("X-Request-Id", str(uuid.uuid4()))
    )
