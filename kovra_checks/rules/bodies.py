"""How two bodies differ, apart from what is volatile by itself and what the configuration says to ignore."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["differences"]

SHOWN = 80  # characters of a value or line in a message
ABSENT = "absent"


def differences(source: str, target: str, *, again: str | None = None, ignore: Sequence[str] = ()) -> list[str]:
    """One line per difference, in stable order; empty if the bodies say the same.

    Args:
        source: The source's body.
        target: The target's body.
        again: The source's body when asked once more: what differs there is volatile and not compared.
        ignore: Regular expressions blanked in all bodies first.
    """
    first, second, other = (_blanked(body, ignore) for body in (source, source if again is None else again, target))
    trees = [_parsed(body) for body in (first, second, other)]
    if all(tree is not None for tree in trees):
        parts = [dict(_leaves(tree[0], "$")) for tree in trees if tree is not None]
    else:
        parts = [dict(_lines(body)) for body in (first, second, other)]
    return list(_compared(*parts))


def _blanked(body: str, ignore: Sequence[str]) -> str:
    for pattern in ignore:
        body = re.sub(pattern, "", body)
    return body


def _parsed(body: str) -> tuple[Any] | None:
    """The JSON value, in a tuple since it may be null; None if it is no JSON object or array."""
    if not body.lstrip().startswith(("{", "[")):
        return None
    try:
        return (json.loads(body),)
    except ValueError:
        return None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and value of every leaf, so that key order and white space do not matter."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _leaves(value[key], f"{path}.{key}")
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False, sort_keys=True)


def _lines(body: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(body.splitlines(), start=1):
        yield f"line {number:04}", " ".join(line.split())


def _compared(first: Mapping[str, str], second: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    for place in sorted({*first, *other}):
        volatile = first.get(place) != second.get(place)
        ours, theirs = first.get(place, ABSENT), other.get(place, ABSENT)
        if not volatile and ours != theirs:
            label = re.sub(r"^line 0*", "line ", place)
            yield f"{label}: source {_short(ours, theirs)}, target {_short(theirs, ours)}"


def _short(text: str, other: str) -> str:
    """*text* around the place where it begins to differ from *other*."""
    if len(text) <= SHOWN:
        return text
    same = next((at for at, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    start = max(0, min(same - SHOWN // 4, len(text) - SHOWN))
    return ("…" if start else "") + text[start : start + SHOWN] + ("…" if start + SHOWN < len(text) else "")
