"""From the file's tables keyed by name to the model's tuples sorted by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kovra_checks.config.problems import KeyPath, Trouble, key_text, shown
from kovra_checks.migration import (
    App,
    Database,
    DnsProviderConfig,
    Domain,
    Integration,
    Job,
    Migration,
    Policy,
    SmokeTest,
    Source,
    Target,
    VariableRules,
    Waiver,
    Watch,
)

__all__ = ["CHILDREN", "KEYED", "keys_of", "model_at", "shape", "toml_path"]

# Which model stands under which key of which model; those in KEYED are lists in the model, tables by name in the file.
CHILDREN: Mapping[type[BaseModel], Mapping[str, type[BaseModel]]] = {
    Migration: {
        "source": Source, "target": Target, "apps": App, "databases": Database, "domains": Domain,
        "dns_providers": DnsProviderConfig, "integrations": Integration, "jobs": Job, "waivers": Waiver,
        "watch": Watch, "policy": Policy,
    },
    App: {"variables": VariableRules, "smoke": SmokeTest},
}  # fmt: skip
KEYED: frozenset[type[BaseModel]] = frozenset({App, Database, Domain, DnsProviderConfig, Integration, Job, SmokeTest})


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys a table of *model* may have in the file: its fields, without those that the loader fills in."""
    filled = {"name"} if model in KEYED else {"directory"} if model is Migration else set()
    return tuple(name for name in model.model_fields if name not in filled)


def model_at(path: KeyPath) -> type[BaseModel] | None:
    """The model of the table at *path* (a place in the shaped data), or None inside a free-form table."""
    model: type[BaseModel] = Migration
    for part in path:
        if isinstance(part, str):
            below = CHILDREN.get(model, {}).get(part)
            if below is None:
                return None
            model = below
    return model


def shape(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Trouble]]:
    """*data* as the model takes it, and what could not be shaped. The troubled parts are left out."""
    troubles: list[Trouble] = []
    shaped = dict(data)
    for key, model in CHILDREN[Migration].items():
        if model in KEYED and key in shaped:
            shaped[key] = _listed(shaped[key], (key,), troubles)
    for app in shaped.get("apps", ()):
        if "smoke" in app:
            app["smoke"] = _listed(app["smoke"], ("apps", app["name"], "smoke"), troubles)
    return shaped, troubles


def _listed(tables: Any, path: KeyPath, troubles: list[Trouble]) -> list[dict[str, Any]]:
    if not isinstance(tables, dict):
        troubles.append(Trouble(path, f"{shown(tables)} where named tables belong", f"write [{key_text(path)}.<name>]"))
        return []
    listed = []
    for name, table in sorted(tables.items()):
        if not isinstance(table, dict):
            remedy = f"write [{key_text((*path, name))}], or move the key to the table it belongs to"
            troubles.append(Trouble((*path, name), f"{shown(table)} where a table belongs", remedy))
            continue
        if "name" in table:
            troubles.append(Trouble((*path, name, "name"), "the table's key is its name already", "remove this line"))
        listed.append({**table, "name": name})
    return listed


def toml_path(location: KeyPath, shaped: Mapping[str, Any]) -> KeyPath:
    """The place in the file of *location*, a place in the shaped data as pydantic tells it.

    Positions in named lists become names; pydantic's own marks (which member of a union, `[key]`) are dropped.
    """
    path: list[str | int] = []
    at: Any = shaped
    for part in location:
        if isinstance(at, list) and isinstance(part, int):
            at = at[part]
            keyed = isinstance(at, dict) and path[0] != "waivers" and "name" in at
            path.append(at["name"] if keyed else part)
        elif isinstance(at, dict):
            path.append(part)
            at = at.get(part)
    if location[-1] == "name" and len(location) > 1:
        path.pop()
    return tuple(path)
