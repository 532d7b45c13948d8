"""The endpoint map of Kovra's control API: assumed by default, overridable entry by entry."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kovra_checks.errors import ConfigError

__all__ = ["EndpointMap", "load_endpoints"]

Table = Mapping[str, Any]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class EndpointMap:
    """Where each operation lives and how the fields of its documents are called."""

    operations: Mapping[str, str]
    paging: Mapping[str, str]
    auth: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]

    def call(self, operation: str, names: Mapping[str, str]) -> tuple[str, str]:
        """Method and path of *operation*, with *names* quoted into the path."""
        method, _, path = self.operations[operation].partition(" ")
        return method, path.format_map({key: quote(value, safe="") for key, value in names.items()})


def load_endpoints(override: Path | None) -> EndpointMap:
    """The default map with the entries of *override* in their places. Raises ConfigError if it does not fit."""
    tables = tomllib.loads((files("kovra_checks.platforms") / "kovra_endpoints.toml").read_text(encoding="utf-8"))
    if override is not None:
        tables = _merged(tables, _read(override), str(override), "")
    for operation, call in tables["operations"].items():
        method, _, path = str(call).partition(" ")
        if method not in METHODS or not path.startswith("/"):
            raise ConfigError(
                f"read the endpoint map {override}",
                seen=f"operations.{operation} is {call!r}",
                remedy='write a method and a path, e.g. "GET /v1/apps/{app}"',
            )
    return EndpointMap(**tables)


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"read the endpoint map {path}", seen=str(error), remedy="check target.endpoint_map and that it is TOML"
        ) from None


def _merged(default: Table, override: Table, source: str, at: str) -> dict[str, Any]:
    merged = dict(default)
    for key, value in override.items():
        known = default.get(key)
        if known is None or isinstance(known, str) != isinstance(value, str):
            near = get_close_matches(key, default, n=1)
            raise ConfigError(
                f"read the endpoint map {source}",
                seen=f"{at}{key} is {'of the wrong type' if known is not None else 'unknown'}",
                remedy=f"did you mean {at}{near[0]}?" if near else f"known here: {', '.join(sorted(default))}",
            )
        merged[key] = value if isinstance(known, str) else _merged(known, value, source, f"{at}{key}.")
    return merged
