"""Kovra Cloud's control API, behind the endpoint map.

Documented by Kovra: database statuses and versions, `error_message`, 429 when the plan's database quota is used up, the
labels of external access. Everything else is assumed (`kovra_endpoints.toml`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kovra_checks.access import Access
from kovra_checks.errors import ConfigError, CouldNotLook
from kovra_checks.platforms.documents import flag, number, place, put, rows, text, words
from kovra_checks.platforms.endpoints import EndpointMap, load_endpoints
from kovra_checks.platforms.http import Answer, JsonApi
from kovra_checks.platforms.secrecy import learn_value
from kovra_checks.protocols import KovraApp, KovraDatabase, KovraDomain, KovraJob, Tenant, Variable

__all__ = ["Kovra"]

PAGES = 500
QUOTA = {429: "this is the plan's quota and not a rate limit: take a larger plan or remove a database, then run again"}


class Kovra:
    """The client. Reading raises CouldNotLook, changing raises ActionFailed; no change is ever repeated."""

    def __init__(self, access: Access) -> None:
        target = access.migration.target
        if target.api_url is None or target.token is None:
            missing = "target.api_url" if target.api_url is None else "target.token"
            raise ConfigError(
                "reach Kovra's control API",
                seen=f"{missing} is not set",
                remedy="Kovra's API address is not public: set target.api_url and target.token as your organisation "
                "was given them",
            )
        self._access = access
        self._tenant = target.tenant
        override = None if target.endpoint_map is None else access.migration.path(target.endpoint_map)
        self._map: EndpointMap = load_endpoints(override)
        auth = self._map.auth
        headers = {auth["header"]: auth["prefix"] + access.secrets.resolve(target.token)}
        self._api = JsonApi(access, "Kovra", target.api_url, reference=target.token, headers=headers)

    def tenant(self) -> Tenant:
        """The tenant with its status, plan and database quota."""
        document, field, what = self._look("tenant"), self._map.fields["tenant"], f"tenant {self._tenant}"
        return Tenant(
            name=words(document, field["name"], what=what),
            status=words(document, field["status"], what=what),
            plan=text(document, field["plan"], what=what),
            database_quota=number(document, field["database_quota"], what=what),
            databases=number(document, field["databases"], what=what),
        )

    def app(self, name: str) -> KovraApp | None:
        """The application; None when it does not exist."""
        document = self._maybe("app", app=name)
        return None if document is None else self._app(document)

    def create_app(self, name: str, *, repository: str, branch: str, health_path: str, port: int) -> KovraApp:
        """Create an application from a repository."""
        given = {"name": name, "repository": repository, "branch": branch, "health_path": health_path, "port": port}
        return self._app(self._change("create_app", self._body("app", given)).data)

    def delete_app(self, name: str) -> None:
        """Delete the application."""
        self._change("delete_app", app=name)

    def variables(self, app: str) -> Mapping[str, Variable]:
        """All variables by name; the value is None where Kovra does not show it."""
        field, what = self._map.fields["variable"], f"variables of {app} on Kovra Cloud"
        found: dict[str, Variable] = {}
        for row in self._list("variables", app=app):
            name, value = words(row, field["name"], what=what), text(row, field["value"], what=what)
            learn_value(self._access, name, value)
            found[name] = Variable(name, value, _origin(place(row, field["origin"])))
        return dict(sorted(found.items()))

    def set_variables(self, app: str, values: Mapping[str, str | None]) -> None:
        """Set each value; None removes the variable. The values are learnt for masking first."""
        for name, value in values.items():
            learn_value(self._access, name, value)
        self._change("set_variables", self._body("variable", {"changes": dict(values)}), app=app)

    def deploy(self, app: str, *, commit: str | None) -> str:
        """Start a deployment; its id."""
        document = self._change("deploy", self._body("deployment", {"commit": commit}), app=app).data
        return words(document, self._map.fields["deployment"]["id"], what=f"deployment of {app}")

    def deployment_status(self, app: str, deployment: str) -> str:
        """The deployment's status as Kovra spells it."""
        document = self._look("deployment", app=app, deployment=deployment)
        return words(document, self._map.fields["deployment"]["status"], what=f"deployment {deployment} of {app}")

    def database(self, name: str) -> KovraDatabase | None:
        """The managed database; None when it does not exist. Its URL is a secret."""
        document = self._maybe("database", database=name)
        return None if document is None else self._database(document)

    def create_database(self, name: str, *, version: str | None) -> KovraDatabase:
        """Create a managed database. Raises ActionFailed at once when the quota is used up (429)."""
        body = self._body("database", {"name": name} if version is None else {"name": name, "version": version})
        return self._database(self._change("create_database", body).data)

    def delete_database(self, name: str) -> None:
        """Delete the managed database and what is in it."""
        self._change("delete_database", database=name)

    def domains(self, app: str) -> Sequence[KovraDomain]:
        """External access of the app, sorted by domain."""
        return sorted((self._domain(row) for row in self._list("domains", app=app)), key=lambda domain: domain.name)

    def attach_domain(self, app: str, domain: str, *, tls: bool) -> KovraDomain:
        """Switch external access for *domain* on."""
        return self._domain(
            self._change("attach_domain", self._body("domain", {"name": domain, "tls": tls}), app=app).data
        )

    def detach_domain(self, app: str, domain: str) -> None:
        """Switch external access for *domain* off."""
        self._change("detach_domain", app=app, domain=domain)

    def jobs(self, app: str) -> Sequence[KovraJob]:
        """CronJobs of the app, sorted by name."""
        field, what = self._map.fields["job"], f"jobs of {app} on Kovra Cloud"
        found = [
            KovraJob(
                **{key: words(row, field[key], what=what) for key in ("name", "schedule", "timezone", "command")},
                suspended=flag(row, field["suspended"], what=what),
            )
            for row in self._list("jobs", app=app)
        ]
        return sorted(found, key=lambda job: job.name)

    def put_job(self, app: str, job: KovraJob) -> None:
        """Create the job or make it so."""
        given = {key: getattr(job, key) for key in ("name", "schedule", "timezone", "command", "suspended")}
        self._change("put_job", self._body("job", given), app=app, job=job.name)

    def delete_job(self, app: str, name: str) -> None:
        """Delete the job."""
        self._change("delete_job", app=app, job=name)

    def git_providers(self) -> Sequence[str]:
        """Connected Git providers, sorted."""
        name = self._map.fields["git_provider"]["name"]
        return sorted(words(row, name, what="Git providers on Kovra Cloud") for row in self._list("git_providers"))

    def _app(self, document: Any) -> KovraApp:
        field, what = self._map.fields["app"], "application on Kovra Cloud"
        told = {
            key: text(document, field[key], what=what)
            for key in ("repository", "branch", "commit", "health_path", "generated_host")
        }
        return KovraApp(
            name=words(document, field["name"], what=what),
            status=text(document, field["status"], what=what) or "unknown",
            restarts=number(document, field["restarts"], what=what),
            **told,
        )

    def _database(self, document: Any) -> KovraDatabase:
        field, what = self._map.fields["database"], "managed database on Kovra Cloud"
        url = text(document, field["url"], what=what)
        self._access.secrets.learn(url)
        return KovraDatabase(
            name=words(document, field["name"], what=what),
            status=words(document, field["status"], what=what),
            version=text(document, field["version"], what=what),
            url=url,
            error_message=text(document, field["error_message"], what=what),
        )

    def _domain(self, document: Any) -> KovraDomain:
        field, what = self._map.fields["domain"], "external access on Kovra Cloud"
        return KovraDomain(
            name=words(document, field["name"], what=what),
            status=words(document, field["status"], what=what),
            target=text(document, field["target"], what=what),
            tls=flag(document, field["tls"], what=what),
            retry_at=text(document, field["retry_at"], what=what),
            message=text(document, field["message"], what=what),
        )

    def _body(self, document: str, given: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for key, value in given.items():
            put(body, self._map.fields[document][key], value)
        return body

    def _look(self, operation: str, **names: str) -> Any:
        return self._api.look(self._path(operation, names)).data

    def _maybe(self, operation: str, **names: str) -> Any:
        """None for a 404, but only while the tenant itself can be read: else the 404 proves nothing."""
        answer = self._api.get(self._path(operation, names), absent=(404,))
        if answer is None:
            self.tenant()
            return None
        return answer.data

    def _change(self, operation: str, body: Any = None, **names: str) -> Answer:
        method, path = self._map.call(operation, {"tenant": self._tenant, **names})
        return self._api.change(method, path, body, remedies=QUOTA if operation == "create_database" else None)

    def _path(self, operation: str, names: Mapping[str, str]) -> str:
        return self._map.call(operation, {"tenant": self._tenant, **names})[1]

    def _list(self, operation: str, **names: str) -> list[Any]:
        paging, path = self._map.paging, self._path(operation, names)
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(PAGES):
            params = None if cursor is None else {paging["parameter"]: cursor}
            page = self._api.look(path, params=params).data
            found += rows(place(page, paging["items"]), what=f"Kovra GET {path}")
            cursor = text(page, paging["next"], what=f"Kovra GET {path}")
            if cursor is None:
                return found
        raise CouldNotLook(
            f"Kovra GET {path}",
            seen=f"a listing that is not complete after {len(found)} rows",
            remedy="check [paging] in target.endpoint_map",
        )


def _origin(value: Any) -> Literal["config", "addon", "platform"]:
    """Anything but a plain `config` (or nothing said) was put there by the platform."""
    return "config" if value in (None, "config", "user") else "platform"
