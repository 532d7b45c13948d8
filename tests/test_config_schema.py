"""The JSON Schema says of a file what the loader does, as far as a schema can."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kovra_checks.config.reference import reference
from kovra_checks.config.schema import json_schema
from kovra_checks.config.shape import CHILDREN, KEYED, keys_of

ROOT = Path(__file__).parent.parent
# Keys whose name says all there is to say; every other key has a description.
OBVIOUS = {
    "name", "version", "source", "target", "databases", "domains", "dns_providers", "integrations", "jobs", "waivers",
    "watch", "policy", "platform", "branch", "variables", "kind", "key_algorithm", "app", "domain", "path", "body",
    "status", "command", "method", "headers",
}  # fmt: skip


def plain(text: str) -> Any:
    """TOML as JSON has it: dates as strings."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


def example() -> dict[str, Any]:
    """The example file's data."""
    data: dict[str, Any] = plain((ROOT / "migration.example.toml").read_text(encoding="utf-8"))
    return data


def test_schema_is_a_schema() -> None:
    """It is valid itself, in the dialect it names."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_example_validates() -> None:
    """The example file fits, with tables keyed by name."""
    jsonschema.Draft202012Validator(json_schema()).validate(example())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("apps", "web", "helth_path"), "/x"),
        (("apps", "Web"), {}),
        (("apps", "web", "name"), "web"),
        (("apps", "web", "smoke", "home", "within"), "5 minutes"),
        (("apps", "web", "generated_host"), "not a host"),
        (("apps", "web", "repository"), "git@github.com:a/b"),
        (("databases", "main", "source_url"), "postgres://a:b@c/d"),
        (("databases", "main", "critical_queries", "Bad Name"), "SELECT 1"),
        (("policy", "soak"), 48),
        (("policy", "low_ttl"), 301),
        (("source", "platform"), "herku"),
        (("directory",), "."),
        (("waivers",), [{"check": "ttl-is-low", "by": "Dana", "until": "2030-01-01"}]),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(path: tuple[str, ...], value: Any) -> None:
    """An editor that uses the schema marks what the loader would refuse."""
    data = example()
    table = data
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(data)


def test_every_key_is_explained() -> None:
    """A key has a description, or a name that needs none."""
    schema = json_schema()
    tables = {"the top": schema, **schema["$defs"]}
    unexplained = {
        f"{title}.{key}"
        for title, table in tables.items()
        for key, part in table["properties"].items()
        if key not in OBVIOUS and not part.get("description")
    }
    assert unexplained == set()


def test_every_nested_model_is_known() -> None:
    """No table of the model is left out of what the loader shapes and the schema describes."""
    nested = {model.__name__ for children in CHILDREN.values() for model in children.values()}
    assert nested == set(json_schema()["$defs"])
    assert [model for model in KEYED if "name" in keys_of(model)] == []


def test_docs_have_every_key() -> None:
    """docs/configuration.md holds the reference as it is now (`make docs`)."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").rstrip().endswith(reference().rstrip())
