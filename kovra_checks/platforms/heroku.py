"""Heroku as the source: Platform API v3 and the data API.

Sources: Heroku's Platform API reference (versioning by Accept, paging by Range, error bodies) and its published
hyper-schema. A release names its slug, and the slug the commit it was built from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kovra_checks.access import Access
from kovra_checks.errors import ActionFailed, ConfigError, CouldNotLook
from kovra_checks.platforms.documents import flag, number, place, rows, text, words
from kovra_checks.platforms.http import Answer, JsonApi
from kovra_checks.platforms.secrecy import learn_value
from kovra_checks.protocols import SourceApp, SourceDatabase, SourceDomain, Variable
from kovra_checks.waiting import wait_for

__all__ = ["Heroku"]

API = "https://api.heroku.com"
DATA_API = "https://api.data.heroku.com"
ACCEPT = "application/vnd.heroku+json; version=3"
POSTGRES = "heroku-postgresql"
# Set for each dyno by the platform, or by its dyno-metadata feature; never config of the app.
PLATFORM_VARIABLE = re.compile(
    r"PORT|DYNO|HEROKU_(APP_ID|APP_NAME|APP_DEFAULT_DOMAIN_NAME|DYNO_ID|RELEASE_CREATED_AT|RELEASE_VERSION"
    r"|SLUG_COMMIT|SLUG_DESCRIPTION|BUILD_.*)"
)
PAGES = 500  # a listing that never ends is an error of the API and not a reason to ask for ever


class Heroku:
    """The source platform's client for Heroku. Raises CouldNotLook (reading) or ActionFailed (changing)."""

    def __init__(self, access: Access) -> None:
        source = access.migration.source
        if source.token is None:
            raise ConfigError(
                "reach Heroku",
                seen="source.token is not set",
                remedy='give it by reference, e.g. token = "env:HEROKU_API_KEY" under [source]',
            )
        self._access = access
        headers = {"Accept": ACCEPT, "Authorization": f"Bearer {access.secrets.resolve(source.token)}"}
        base = API if source.api_url is None else source.api_url
        data_base = DATA_API if source.data_api_url is None else source.data_api_url
        self._api = JsonApi(access, "Heroku", base, reference=source.token, headers=headers)
        self._data = JsonApi(access, "Heroku data", data_base, reference=source.token, headers=headers)

    def app(self, name: str) -> SourceApp:
        """The app's facts. Heroku has no health check path, and names the repository in a service of its own."""
        what = f"Heroku app {name}"
        facts = self._api.look(f"/apps/{name}").data
        formation = self._list(f"/apps/{name}/formation")
        return SourceApp(
            name=words(facts, "name", what=what),
            region=text(facts, "region.name", what=what),
            commit=self._commit(name),
            maintenance=flag(facts, "maintenance", what=what),
            processes={words(row, "type", what=what): number(row, "quantity", what=what) or 0 for row in formation},
            commands={words(row, "type", what=what): text(row, "command", what=what) or "" for row in formation},
            web_url=text(facts, "web_url", what=what),
            repository=None,
            branch=None,
        )

    def apps(self) -> Sequence[str]:
        """Names of all apps the token can see, sorted, paged to the end."""
        return sorted(words(row, "name", what="Heroku apps") for row in self._list("/apps"))

    def variables(self, app: str) -> Mapping[str, Variable]:
        """All config vars; those an add-on or the platform put there are marked so."""
        what = f"config vars of Heroku app {app}"
        attached = {
            str(name)
            for row in self._list(f"/apps/{app}/addons")
            for name in rows(place(row, "config_vars"), what=what)
        }
        data = self._api.look(f"/apps/{app}/config-vars").data
        if not isinstance(data, dict):
            raise CouldNotLook(what, seen=f"{type(data).__name__} instead of an object", remedy="check source.api_url")
        found: dict[str, Variable] = {}
        for name in sorted(data):
            value = text({"value": data[name]}, "value", what=what)
            learn_value(self._access, name, value)
            platform = PLATFORM_VARIABLE.fullmatch(name) is not None
            found[name] = Variable(name, value, "addon" if name in attached else "platform" if platform else "config")
        return found

    def domains(self, app: str) -> Sequence[SourceDomain]:
        """Custom domains, sorted by name."""
        what = f"domains of Heroku app {app}"
        found = [
            SourceDomain(
                name=words(row, "hostname", what=what),
                dns_target=text(row, "cname", what=what),
                certificate_status=text(row, "acm_status", what=what),
            )
            for row in self._list(f"/apps/{app}/domains")
            if place(row, "kind") == "custom"
        ]
        return sorted(found, key=lambda domain: domain.name)

    def databases(self, app: str) -> Sequence[SourceDatabase]:
        """The PostgreSQL add-ons of the app by add-on name, with version, size and newest complete backup."""
        what = f"databases of Heroku app {app}"
        addons = [row for row in self._list(f"/apps/{app}/addons") if place(row, "addon_service.name") == POSTGRES]
        transfers = self._transfers(app) if addons else []
        return sorted((self._database(row, transfers, what) for row in addons), key=lambda database: database.name)

    def capture_backup(self, app: str, database: str) -> str:
        """Take a backup and wait until it is complete, at most the policy's action deadline; its number."""
        started = self._data.change("POST", f"/client/v11/databases/{database}/backups").data
        number_ = words(started, "uuid", what=f"backup of {database}")

        def finished() -> Any:
            mine = next((row for row in self._transfers(app) if place(row, "uuid") == number_), None)
            return mine if place(mine, "finished_at") is not None else None

        deadline = self._access.migration.policy.action_deadline.total_seconds()
        done = wait_for(finished, deadline=deadline, every=max(0.25, deadline / 300))
        if done is None or place(done, "succeeded") is not True or place(done, "warnings"):
            seen = "not finished in time" if done is None else "failed, or finished with warnings"
            raise ActionFailed(
                f"back up {database} of Heroku app {app}",
                seen=f"transfer {number_}: {seen}",
                remedy=f"see `heroku pg:backups -a {app}`",
            )
        return number_

    def scale(self, app: str, processes: Mapping[str, int]) -> Mapping[str, int]:
        """Set process counts; the counts of these types as they were before."""
        before = self.app(app).processes
        updates = [{"type": kind, "quantity": count} for kind, count in sorted(processes.items())]
        self._api.change("PATCH", f"/apps/{app}/formation", {"updates": updates})
        return {kind: before[kind] for kind in sorted(processes) if kind in before}

    def set_maintenance(self, app: str, *, on: bool) -> None:
        """Switch the maintenance page of the routers. Workers go on: it is no write fence."""
        self._api.change("PATCH", f"/apps/{app}", {"maintenance": on})

    def remove_domain(self, app: str, domain: str) -> None:
        """Detach the custom domain."""
        self._api.change("DELETE", f"/apps/{app}/domains/{domain}")

    def _commit(self, app: str) -> str | None:
        """The commit of the running release; None for an app without a slug."""
        what = f"running release of Heroku app {app}"
        newest = {"Range": "version ..; order=desc, max=50"}
        releases = rows(self._api.look(f"/apps/{app}/releases", headers=newest).data, what=what)
        current = next((row for row in releases if place(row, "current") is True), None)
        if current is None:
            current = next((row for row in releases if place(row, "status") == "succeeded"), None)
        slug = text(current, "slug.id", what=what)
        if slug is None:
            return None
        return text(self._api.look(f"/apps/{app}/slugs/{slug}").data, "commit", what=what)

    def _database(self, row: Any, transfers: list[Any], what: str) -> SourceDatabase:
        name = words(row, "name", what=what)
        facts = self._data.look(f"/client/v11/databases/{name}").data
        told = {place(one, "name"): place(one, "values") for one in place(facts, "info") or ()}
        version = text(facts, "postgres_version", what=what)
        if version is None and told.get("PG Version"):
            version = str(told["PG Version"][0])
        labels = {name, *(str(variable).removesuffix("_URL") for variable in place(row, "config_vars") or ())}
        ends = [
            str(place(one, "finished_at")) for one in transfers
            if place(one, "succeeded") is True and place(one, "to_type") == "gof3r"
            and place(one, "from_name") in labels
        ]  # fmt: skip
        return SourceDatabase(name, version, number(facts, "num_bytes", what=what), max(ends, default=None))

    def _transfers(self, app: str) -> list[Any]:
        answer = self._data.look(f"/client/v11/apps/{app}/transfers")
        return rows(answer.data, what=f"backups of Heroku app {app}")

    def _list(self, path: str) -> list[Any]:
        """All rows: a 206 says by Next-Range how to go on."""
        found: list[Any] = []
        answer: Answer = self._api.look(path)
        for _ in range(PAGES):
            found += rows(answer.data, what=f"Heroku GET {path}")
            following = answer.headers.get("next-range")
            if following is None and answer.status != 206:
                return found
            if following is None:
                break
            answer = self._api.look(path, headers={"Range": following})
        raise CouldNotLook(
            f"Heroku GET {path}",
            seen=f"a listing that is not complete after {len(found)} rows",
            remedy="run again; if it stays, the API or a proxy before it drops its paging headers",
        )
