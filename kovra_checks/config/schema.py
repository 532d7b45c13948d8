"""The JSON Schema of a migration file, for editors and for other tools that write one.

It describes the file (tables keyed by name), not the model (tuples sorted by name). What no schema can say, such as
references between tables, only `kovra_checks.config.load` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel

from kovra_checks.config.shape import CHILDREN, KEYED
from kovra_checks.migration import Migration
from kovra_checks.units import format_duration

__all__ = ["DURATION", "default_text", "json_schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DURATION: Final = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
_TITLE: Final = "kovra-checks migration file"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of `migration.toml`. Dates are strings, as TOML's own are in JSON."""
    schema = Migration.model_json_schema()
    models: list[type[BaseModel]] = [Migration]
    models += [child for children in CHILDREN.values() for child in children.values()]
    for model in models:
        part = schema if model is Migration else schema["$defs"][model.__name__]
        _describe(part, model)
    del schema["properties"]["directory"]
    plain: dict[str, Any] = _plain(schema)
    return {"$schema": _DIALECT, **plain, "title": _TITLE, "description": str(Migration.__doc__).partition("\n")[0]}


def default_text(value: Any) -> Any:
    """A field's default as TOML would write it: durations with a unit, paths and tuples as strings and arrays."""
    if isinstance(value, timedelta):
        return format_duration(value).replace(" ", "") if value else "0s"
    if isinstance(value, BaseModel):
        return {}
    if isinstance(value, tuple | list):
        return [default_text(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | dict) else str(value)


def _describe(part: dict[str, Any], model: type[BaseModel]) -> None:
    """Turn *part*, pydantic's schema of *model*, into that of the table."""
    properties: dict[str, Any] = part["properties"]
    for key, field in model.model_fields.items():
        if "default" in properties[key]:
            properties[key]["default"] = default_text(field.default)
    for key, child in CHILDREN.get(model, {}).items():
        if child in KEYED:
            properties[key] = _keyed(properties[key], child)
    if model in KEYED:
        del properties["name"]
        part["required"] = [key for key in part.get("required", ()) if key != "name"]


def _keyed(listed: Mapping[str, Any], child: type[BaseModel]) -> dict[str, Any]:
    """A table of tables in place of a list; the name's own rules become those of the keys."""
    rules = child.model_json_schema()["properties"]["name"]
    names = {key: value for key, value in rules.items() if key in ("pattern", "maxLength")}
    return {
        **{key: value for key, value in listed.items() if key == "description"},
        "type": "object",
        "propertyNames": names,
        "additionalProperties": listed["items"],
    }


def _plain(part: Any) -> Any:
    """*part* without pydantic's titles and null alternatives (TOML has no null), durations as people write them."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "duration":
        part = {**part, "pattern": DURATION}
        del part["format"]
    if "patternProperties" in part:
        part = {**part, "additionalProperties": False}
    kept = {key: _plain(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    if kept.get("default", ...) is None:
        del kept["default"]
    options = [option for option in kept.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    elif options:
        kept["anyOf"] = options
    return kept
