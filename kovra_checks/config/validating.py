"""Field by field: pydantic's errors, told so that the person who wrote the file knows what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kovra_checks.config.problems import KeyPath, Trouble, did_you_mean, is_secret_place, key_text, shown
from kovra_checks.config.shape import CHILDREN, KEYED, keys_of, model_at, toml_path
from kovra_checks.migration import HOST, NAME, Migration, Waiver

__all__ = ["partial", "troubles_of"]

M = TypeVar("M", bound=BaseModel)

_PATTERNS: Final = {
    NAME: "a name has lower-case letters, digits and single hyphens, starts with a letter, ends without a hyphen",
    HOST: "write a host name, e.g. shop.example.com",
    r"^/": "a path starts with `/`",
    r"^https?://[^\s]+$": "write a URL that starts with https://",
    r"^[0-9a-f]{7,40}$": "write a commit: 7 to 40 hex digits, lower case",
}


def troubles_of(error: ValidationError, shaped: Mapping[str, Any]) -> list[Trouble]:
    """Every error once per place: a value that fits no member of a union is told by the first."""
    found: dict[KeyPath, Trouble] = {}
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        path = toml_path(location, shaped) if location else ()
        found.setdefault(path, _trouble(detail, path))
    return list(found.values())


def partial(shaped: Mapping[str, Any]) -> Migration:
    """As much of the migration as is valid, for the checks across tables; unchecked, and never to be used for a run."""
    valid: dict[str, Any] = {"apps": ()}
    for key, model in CHILDREN[Migration].items():
        value = shaped.get(key)
        if model in KEYED or model is Waiver:
            found = (_valid(model, part) for part in (value if isinstance(value, list) else ()))
            valid[key] = tuple(one for one in found if one is not None)
        elif (one := _valid(model, value)) is not None:
            valid[key] = one
    return Migration.model_construct(**valid)


def _valid(model: type[M], data: Any) -> M | None:
    """*data* as a model, if need be without the keys that are wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    if not isinstance(data, dict) or not wrong & data.keys():
        return None
    return _valid(model, {key: value for key, value in data.items() if key not in wrong})


def _trouble(detail: ErrorDetails, path: KeyPath) -> Trouble:
    tell = _TELL.get(detail["type"])
    if tell is not None:
        return Trouble(path, *tell(detail, path))
    reason = str(detail.get("ctx", {}).get("error", detail["msg"])).removeprefix("Input ")
    if is_secret_place(path):
        reason = "a secret is given by reference, `env:NAME` or `file:PATH`, never as a value"
    return Trouble(path, f"found {shown(detail['input'], path)}", reason)


def _unknown(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    word = path[-1]
    model = model_at(detail["loc"][:-1])
    known = () if model is None else keys_of(model)
    guess = did_you_mean(word, known) or "".join(f"`{word}` belongs into {home}. " for home in _homes(word))
    table = f"[{key_text(path[:-1])}]" if path[:-1] else "the top of the file"
    return "unknown key", f"{guess}{table} takes {', '.join(known)}"


def _homes(word: str | int) -> Iterator[str]:
    """Tables that do take the key *word*."""
    for parent, children in CHILDREN.items():
        prefix = "" if parent is Migration else "apps.<name>."
        for key, model in children.items():
            if word in keys_of(model):
                yield f"[{prefix}{key}{'.<name>' if model in KEYED else ''}]"


def _missing(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    model = model_at(detail["loc"][:-1])
    key = str(path[-1])
    if len(path) == 1 and key in CHILDREN[Migration]:
        named = ".<name>" if CHILDREN[Migration][key] in KEYED else ""
        return "required table is missing", f"add [{key}{named}]; migration.example.toml shows one"
    what = None if model is None else model.model_fields[key].description
    return "required key is missing", f"add `{key} = …`" + (
        f": {what}" if what else "; migration.example.toml shows it"
    )


def _literal(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    allowed = str(detail["ctx"]["expected"]).replace("'", "`")
    guess = did_you_mean(detail["input"], allowed.replace("`", "").replace(" or ", ", ").split(", "))
    return f"found {shown(detail['input'], path)}", f"{guess}Allowed: {allowed}"


def _pattern(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    pattern = str(detail["ctx"]["pattern"])
    remedy = _PATTERNS.get(pattern, "write an address, with a port if it is not 53: 192.0.2.1, 127.0.0.1:5353")
    if path and path[-1] in ("target", "source_target") and pattern == HOST:
        remedy = "write a host name (for a CNAME) or an address (for A/AAAA)"
    return f"found {shown(detail['input'], path)}", remedy


def _table(detail: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    return f"{shown(detail['input'], path)} where a table belongs", "migration.example.toml shows one"


_TELL: Final[Mapping[str, Callable[[ErrorDetails, KeyPath], tuple[str, str]]]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "model_type": _table,
    "dict_type": _table,
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
}
