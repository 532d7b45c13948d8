"""No secret is written into a migration file: it is read by many, kept in version control and quoted in reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kovra_checks.config.problems import KeyPath, Trouble, looks_secret

__all__ = ["literal_secrets"]

_REMEDY = "give it by reference, `env:NAME` or `file:PATH`, and change the secret: it has been in a file"


def literal_secrets(data: Any) -> list[Trouble]:
    """Every string in *data* that is recognisably a secret. Told without the value."""
    return [
        Trouble(path, f"a secret stands here as a value of {len(value)} characters (not shown)", _REMEDY)
        for path, value in _strings(data, ())
        if looks_secret(value)
    ]


def _strings(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _strings(value, (*path, index))
