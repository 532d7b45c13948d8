"""The reference of a migration file for people, in Markdown, from the same schema that editors use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kovra_checks.config.schema import DURATION, json_schema
from kovra_checks.migration import SECRET_REFERENCE

__all__ = ["reference"]

_ORDER = (
    "source", "target", "apps", "databases", "domains", "dns_providers", "integrations", "jobs", "waivers",
    "watch", "policy",
)  # fmt: skip


def reference() -> str:
    """A Markdown section per table: key, type, default, meaning."""
    schema = json_schema()
    lines = ["### Top of the file", "", *_table(schema, without=_ORDER)]
    for key in _ORDER:
        lines += _section(schema, schema["properties"][key], key)
    return "\n".join(lines)


def _section(schema: Mapping[str, Any], part: Mapping[str, Any], title: str) -> Iterator[str]:
    nested, heading = _nested(part), f"[{title}]"
    if "additionalProperties" in part:
        title = f"{title}.<name>"
        heading = f"[{title}]"
    elif "items" in part:
        heading = f"[[{title}]]"
    table = schema["$defs"][nested]
    below = {key: value for key, value in table["properties"].items() if _nested(value)}
    yield from ("", f"### `{heading}`", "", table["description"].replace("\n", " "), "")
    yield from _table(table, without=tuple(below))
    for key, value in below.items():
        yield from _section(schema, value, f"{title}.{key}")


def _nested(part: Mapping[str, Any]) -> str:
    """Name of the model whose table stands here; "" for a plain value."""
    for place in (part, part.get("additionalProperties"), part.get("items")):
        if isinstance(place, dict) and "$ref" in place:
            return str(place["$ref"]).rpartition("/")[2]
    return ""


def _table(table: Mapping[str, Any], *, without: tuple[str, ...]) -> Iterator[str]:
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    for key, part in table["properties"].items():
        if key not in without:
            default = "**required**" if key in table.get("required", ()) else _default(part)
            yield f"| `{key}` | {_kind(part)} | {default} | {_cell(part.get('description', ''))} |"


def _default(part: Mapping[str, Any]) -> str:
    return "" if part.get("default") in (None, [], {}, "") else f"`{_cell(json.dumps(part['default']))}`"


def _kind(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_kind(option) for option in part["anyOf"]))
    if "enum" in part or "const" in part:
        return ", ".join(f"`{one}`" for one in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return f"array of {_kind(part['items'])}"
    return "table of strings" if part.get("type") == "object" else _bounded(part)


def _bounded(part: Mapping[str, Any]) -> str:
    known = {SECRET_REFERENCE.pattern: "reference", DURATION: "duration"}
    kind = known.get(part.get("pattern", ""), part.get("format", part["type"]))
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return kind if low is None else f"{kind}, at least {low}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
