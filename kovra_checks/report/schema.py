"""Makes `verdict.schema.json` from the verdict's types: `python -m kovra_checks.report.schema` prints it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from kovra_checks.outcome import adapter
from kovra_checks.report.verdict import Verdict

__all__ = ["generate"]


def generate() -> dict[str, Any]:
    """The JSON Schema of verdict.json, each field described by its line in the docstring of its type."""
    made = adapter(Verdict).json_schema(mode="serialization")
    for part in (made, *made["$defs"].values()):
        summary, fields = _split(part.get("description", ""))
        part["description"] = summary
        for name, field in part["properties"].items():
            field.pop("title", None)
            if name in fields:
                field["description"] = fields[name]
    title = "kovra-checks verdict, version 1"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}


def _split(docstring: str) -> tuple[str, dict[str, str]]:
    """A docstring's text, and what its `Attributes:` list says of each field."""
    text, _, listed = docstring.partition("\n\nAttributes:\n")
    fields = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", listed, flags=re.MULTILINE)
    return " ".join(text.split()), {name: " ".join(said.split()) for name, said in fields}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(generate(), indent=2, ensure_ascii=False) + "\n")
