"""Reading the migration file and its overlay: the only I/O of configuration."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kovra_checks.config.positions import key_lines, nearest
from kovra_checks.config.problems import ConfigErrors, KeyPath, Problem, Trouble, key_text

__all__ = ["Document", "overlay_path", "parse", "read"]

_PLACE = re.compile(r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Document:
    """A migration file as parsed, with overlays merged in.

    Attributes:
        file: Name of the (first) file, as given.
        data: Plain TOML data.
        places: Key path -> (file, line).
    """

    file: str
    data: dict[str, Any]
    places: dict[KeyPath, tuple[str, int]]

    def overlaid(self, other: Document) -> Document:
        """This document with *other* merged over it, table by table; arrays and plain values are replaced."""
        return Document(self.file, _merged(self.data, other.data), {**self.places, **other.places})

    def problem(self, trouble: Trouble) -> Problem:
        """*trouble* with its file and line."""
        file, line = nearest(trouble.path, self.places) or (self.file, None)
        return Problem(file, line, key_text(trouble.path), trouble.seen, trouble.remedy)


def overlay_path(path: Path, environment: str) -> Path:
    """`migration.staging.toml` beside `migration.toml`. Raises ConfigErrors for a name that is no plain word."""
    if not _ENVIRONMENT.fullmatch(environment):
        problem = Problem(
            str(path), None, "", f"environment {environment!r} is no plain word", "use letters, digits, `-` and `_`"
        )
        raise ConfigErrors(str(path), (problem,))
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def read(path: Path) -> str:
    """The text of *path*. Raises ConfigErrors when it is no readable UTF-8 file."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        seen = {FileNotFoundError: "no such file", IsADirectoryError: "a folder, not a file"}.get(
            type(error), f"cannot be read ({error.strerror})"
        )
        remedy = "name the file with --migration FILE; migration.example.toml shows one"
        if isinstance(error, PermissionError):
            remedy = "make it readable to the user who runs this"
    except UnicodeDecodeError as error:
        seen = f"not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}"
        remedy = "save the file as UTF-8, as TOML requires"
    raise ConfigErrors(str(path), (Problem(str(path), None, "", seen, remedy),)) from None


def parse(text: str, file: str) -> Document:
    """*text* as a document. Raises ConfigErrors with line and column when it is not TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors(file, (_syntax(str(error), text, file),)) from None
    return Document(file, data, {path: (file, line) for path, line in key_lines(text).items()})


def _syntax(message: str, text: str, file: str) -> Problem:
    place = _PLACE.match(message)
    what = message if place is None else place["what"]
    line = len(text.splitlines()) if place is None or place["line"] is None else int(place["line"])
    column = "" if place is None or place["column"] is None else f" at column {place['column']}"
    return Problem(file, line, "", f"not TOML: {what}{column}", "mend the syntax (toml.io); strings need quotes")


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
