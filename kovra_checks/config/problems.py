"""What can be wrong with a migration file, told all at once: place, what was found, what to write instead."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kovra_checks.errors import ConfigError

__all__ = [
    "ConfigErrors",
    "KeyPath",
    "Problem",
    "Trouble",
    "did_you_mean",
    "is_secret_place",
    "key_text",
    "looks_secret",
    "shown",
]

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_PLACE = re.compile(r"(token|secret|password|source_url|target_url)$")
# Prefixes that the issuers document so that scanners can find leaked tokens, PEM keys, JSON Web Tokens (RFC 7519),
# and any URL with a password in its user information (RFC 3986, section 3.2.1).
_SECRET_VALUE = re.compile(
    r"""(?x)
    \b(?: gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,} | HRKU-[\w-]{20,} | rnd_[A-Za-z0-9]{20,}
      | sk_(?:live|test)_\w{10,} | xox[abprs]-[\w-]{10,} | AKIA[0-9A-Z]{16} | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]* )
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | [A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:[^/@\s]+@
    """
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem as a validator states it, before it is placed in a file.

    Attributes:
        path: Keys from the top of the file; integers are positions in an array, from 0.
        seen: What was found, never a secret value.
        remedy: What to write instead.
    """

    path: KeyPath
    seen: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a migration file.

    Attributes:
        file: The file that holds it.
        line: Line of the key, or of the nearest table around it, from 1; None when it has none (an unreadable file).
        key: Key path as TOML writes it; "" when the whole file is meant.
        seen: What was found, never a secret value.
        remedy: What to write instead.
    """

    file: str
    line: int | None
    key: str
    seen: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        remedy = self.remedy[:1].upper() + self.remedy[1:]
        return f"{place}: {self.key + ': ' if self.key else ''}{self.seen}. {remedy}"


class ConfigErrors(ConfigError):
    """A migration file cannot be used; `problems` lists everything that is wrong with it, in the file's order."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"read {file}", seen=count, remedy="nothing was contacted; mend the file and run this again")
        self.file = file
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([f"{self.tried}: {self.seen}", *(f"  {problem}" for problem in self.problems)])

    def __reduce__(self) -> tuple[object, ...]:
        """Survives the way between processes with its problems."""
        return (type(self), (self.file, self.problems))


def key_text(path: KeyPath) -> str:
    """*path* as TOML writes it: `domains."shop.example.com".zone`, `waivers[0].until`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False))
    return text


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """`Did you mean X?` when something close is *known*, else "" (with a blank after the sentence)."""
    close = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`? " if close else ""


def looks_secret(value: str) -> bool:
    """Whether *value* is recognisably a secret: a URL with a password, a private key, a well-known kind of token."""
    return _SECRET_VALUE.search(value) is not None


def is_secret_place(path: KeyPath) -> bool:
    """Whether a secret belongs at *path*, so that whatever stands there is not shown."""
    last = path[-1] if path else ""
    return "set" in path or (isinstance(last, str) and _SECRET_PLACE.search(last) is not None)


def shown(value: Any, path: KeyPath = ()) -> str:
    """*value* for a message: short, on one line; never a secret, nor anything that stands where a secret belongs."""
    if is_secret_place(path) or looks_secret(str(value)):
        return f"a value of {len(str(value))} characters (not shown)"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
