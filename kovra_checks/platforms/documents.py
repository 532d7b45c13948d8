"""Reads fields of JSON documents that others wrote: dotted places, and types that are checked before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from kovra_checks.errors import CouldNotLook

__all__ = ["flag", "number", "place", "put", "rows", "text", "words"]

T = TypeVar("T")


def place(document: Any, dotted: str) -> Any:
    """`place({"a": {"b": 1}}, "a.b")` is 1; None where a part is missing."""
    for part in dotted.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def put(document: dict[str, Any], dotted: str, value: Any) -> None:
    """Set *value* at the dotted place, making the objects on the way."""
    *way, last = dotted.split(".")
    for part in way:
        document = document.setdefault(part, {})
    document[last] = value


def text(document: Any, dotted: str, *, what: str) -> str | None:
    """A string, or None where it is null or missing. Numbers are told as strings. Raises CouldNotLook for others."""
    value = place(document, dotted)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if value is None else _typed(value, str, dotted, what)


def words(document: Any, dotted: str, *, what: str) -> str:
    """A string that must be there. Raises CouldNotLook otherwise."""
    value = text(document, dotted, what=what)
    return _typed(value, str, dotted, what)


def number(document: Any, dotted: str, *, what: str) -> int | None:
    """A whole number, or None where it is null or missing. Raises CouldNotLook for others."""
    value = place(document, dotted)
    return None if value is None else _typed(value, int, dotted, what)


def flag(document: Any, dotted: str, *, what: str) -> bool:
    """A boolean that must be there. Raises CouldNotLook otherwise."""
    return _typed(place(document, dotted), bool, dotted, what)


def rows(data: Any, *, what: str) -> list[Any]:
    """A list. Raises CouldNotLook otherwise."""
    return _typed(data, list, "", what)


def _typed(value: Any, kind: type[T], dotted: str, what: str) -> T:
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise CouldNotLook(
        what,
        seen=f"{dotted or 'the answer'} is {type(value).__name__}, expected {kind.__name__}",
        remedy="the API answers in another shape than expected: check its address and, for Kovra, target.endpoint_map",
    )
