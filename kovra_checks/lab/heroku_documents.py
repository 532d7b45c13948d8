"""The documents of the lab's Heroku API, in the shapes of the vendor's published hyper-schema (variant 3.sdk)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

__all__ = ["addon", "app", "build", "database", "domain", "formation", "identity", "new_app", "release", "slug"]

MOMENT = "2026-01-05T08:00:00Z"
OWNER = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, "owner")), "email": "owner@example.test"}
Document = dict[str, Any]
State = Mapping[str, Any]


def identity(*parts: str) -> str:
    """The same UUID for the same *parts*, so that a restarted lab has the same ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))


def new_app(name: str, *, commit: str, region: str = "eu") -> Document:
    """The state of a new app: one release of one slug."""
    return {
        "name": name,
        "region": region,
        "maintenance": False,
        "formation": {},
        "config": {},
        "domains": {},
        "addons": [],
        "releases": [{"version": 1, "slug": identity("slug", name, commit), "description": f"Deploy {commit[:8]}"}],
        "slugs": {identity("slug", name, commit): commit},
        "transfers": [],
    }


def _named(kind: str, name: str) -> Document:
    return {"id": identity(kind, name), "name": name}


def app(state: State) -> Document:
    """`GET /apps/{app}`."""
    name = state["name"]
    return {
        "acm": True, "archived_at": None, "build_stack": _named("stack", "heroku-24"),
        "buildpack_provided_description": "Python", "created_at": MOMENT, "generation": "cedar",
        "git_url": f"https://git.heroku.com/{name}.git", "id": identity("app", name), "internal_routing": None,
        "maintenance": state["maintenance"], "name": name, "owner": OWNER, "organization": None, "team": None,
        "region": _named("region", state["region"]), "released_at": MOMENT, "repo_size": 1024, "slug_size": 2048,
        "space": None, "stack": _named("stack", "heroku-24"), "updated_at": MOMENT,
        "web_url": f"https://{name}-{identity('app', name)[:12]}.herokuapp.com/",
    }  # fmt: skip


def _owner_app(state: State) -> Document:
    return {"name": state["name"], "id": identity("app", state["name"])}


def formation(state: State, process: str) -> Document:
    """One process type of `GET /apps/{app}/formation`."""
    facts = state["formation"][process]
    return {
        "app": _owner_app(state), "command": facts["command"], "created_at": MOMENT,
        "dyno_size": _named("dyno-size", "Basic"), "id": identity("formation", state["name"], process),
        "quantity": facts["quantity"], "size": "Basic", "type": process, "updated_at": MOMENT,
    }  # fmt: skip


def domain(state: State, hostname: str) -> Document:
    """One of `GET /apps/{app}/domains`."""
    facts = state["domains"][hostname]
    return {
        "acm_status": facts["acm_status"], "acm_status_reason": None, "app": _owner_app(state), "cname": facts["cname"],
        "created_at": MOMENT, "hostname": hostname, "id": identity("domain", state["name"], hostname),
        "kind": "custom", "status": "succeeded", "updated_at": MOMENT, "sni_endpoint": None,
    }  # fmt: skip


def addon(state: State, facts: State) -> Document:
    """One of `GET /apps/{app}/addons`."""
    return {
        "actions": [], "addon_service": _named("addon-service", facts["service"]),
        "billing_entity": {**_owner_app(state), "type": "app"}, "app": _owner_app(state),
        "billed_price": {"cents": 500, "contract": False, "metered": False, "unit": "month"},
        "config_vars": list(facts["config_vars"]), "created_at": MOMENT, "id": identity("addon", facts["name"]),
        "name": facts["name"], "plan": _named("plan", facts["plan"]),
        "provider_id": identity("provider", facts["name"]),
        "state": "provisioned", "updated_at": MOMENT, "web_url": None,
    }  # fmt: skip


def release(state: State, facts: State) -> Document:
    """One of `GET /apps/{app}/releases`."""
    newest = facts["version"] == max(one["version"] for one in state["releases"])
    return {
        "addon_plan_names": [one["plan"] for one in state["addons"]], "app": _owner_app(state), "created_at": MOMENT,
        "description": facts["description"], "id": identity("release", state["name"], str(facts["version"])),
        "updated_at": MOMENT, "oci_image": None, "slug": {"id": facts["slug"]}, "status": "succeeded", "user": OWNER,
        "version": facts["version"], "current": newest, "output_stream_url": None, "eligible_for_rollback": not newest,
    }  # fmt: skip


def slug(state: State, number: str) -> Document:
    """`GET /apps/{app}/slugs/{slug}`."""
    return {
        "blob": {"method": "GET", "url": f"https://slugs.example.test/{number}.tgz"},
        "buildpack_provided_description": "Python", "checksum": None, "commit": state["slugs"][number],
        "commit_description": None, "created_at": MOMENT, "id": number,
        "process_types": {process: facts["command"] for process, facts in state["formation"].items()},
        "size": 2048, "stack": _named("stack", "heroku-24"), "updated_at": MOMENT,
    }  # fmt: skip


def build(state: State, number: str) -> Document:
    """One of `GET /apps/{app}/builds`."""
    commit = state["slugs"][number]
    return {
        "app": {"id": identity("app", state["name"])}, "buildpacks": [], "created_at": MOMENT,
        "id": identity("build", number), "output_stream_url": f"https://builds.example.test/{number}",
        "source_blob": {"checksum": None, "url": f"https://sources.example.test/{number}", "version": commit,
                        "version_description": None},
        "release": None, "slug": {"id": number}, "stack": "heroku-24", "status": "succeeded", "updated_at": MOMENT,
        "user": OWNER,
    }  # fmt: skip


def database(facts: State) -> Document:
    """`GET /client/v11/databases/{addon}` of the data API."""
    version = facts["version"]
    return {
        "addon_id": identity("addon", facts["name"]), "created_at": MOMENT, "credentials": 1,
        "database_name": facts["database"], "database_user": None, "name": facts["name"],
        "num_bytes": facts["num_bytes"], "plan": facts["plan"].partition(":")[2], "port": 5432,
        "postgres_version": version, "resource_url": None, "waiting?": False,
        "info": [{"name": "Plan", "values": [facts["plan"]]}, {"name": "Status", "values": ["Available"]},
                 {"name": "PG Version", "values": [version]}],
    }  # fmt: skip
