"""Where keys stand in a TOML file: a light scan, for error messages only.

The standard library's parser tells no positions. This scan knows headers, keys, strings and brackets; keys inside an
inline table or an array get the line of the key that holds them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

from kovra_checks.config.problems import KeyPath

__all__ = ["key_lines", "nearest"]

T = TypeVar("T")

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_PAIR = re.compile(rf"\s*({_DOTTED})\s*=")
_TOKEN = re.compile(r""""{3}|'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#.*|[\[\]{}]""")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Key path -> line (from 1) of every table and key in *text*, which must be valid TOML."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    quote, depth = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if quote or depth:
            quote, depth = _after(line, quote, depth)
        elif header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                index = counts[table] = counts.get(table, -1) + 1
                table = (*table, index)
            _note(lines, table, number)
        elif pair := _PAIR.match(line):
            _note(lines, (*table, *_parts(pair[1])), number)
            quote, depth = _after(line[pair.end() :], "", 0)
    return lines


def nearest(path: KeyPath, places: Mapping[KeyPath, T]) -> T | None:
    """The place of *path* or of the nearest table around it; None when not even that is among *places*."""
    return next((places[path[:size]] for size in range(len(path), 0, -1) if path[:size] in places), None)


def _note(lines: dict[KeyPath, int], path: KeyPath, number: int) -> None:
    for size in range(1, len(path) + 1):
        lines.setdefault(path[:size], number)


def _parts(dotted: str) -> KeyPath:
    """The parts of a dotted key, unquoted by the real parser."""
    part: Any = tomllib.loads(f"{dotted} = 0")
    path: list[str] = []
    while isinstance(part, dict):
        key, part = next(iter(part.items()))
        path.append(key)
    return tuple(path)


def _after(line: str, quote: str, depth: int) -> tuple[str, int]:
    """The open multi-line quote and the depth of open brackets after *line*."""
    at = 0
    while True:
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return quote, depth
            at, quote = end + 3, ""
        token = _TOKEN.search(line, at)
        if token is None or token[0].startswith("#"):
            return "", depth
        at = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
