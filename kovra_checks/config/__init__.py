"""From a TOML file to a `Migration`, before any system is contacted; or everything that is wrong with it, at once."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from kovra_checks.config.problems import ConfigErrors, Problem, Trouble
from kovra_checks.config.reading import Document, overlay_path, parse, read
from kovra_checks.config.secrecy import literal_secrets
from kovra_checks.config.semantics import across
from kovra_checks.config.shape import shape
from kovra_checks.config.validating import partial, troubles_of
from kovra_checks.migration import Migration

__all__ = ["ConfigErrors", "Problem", "load", "load_text", "validated"]


def load(path: Path, *, environment: str | None = None) -> Migration:
    """The migration in the file *path*, with `<name>.<environment>.toml` beside it merged over it, table by table.

    Nothing but the file (and the overlay) is read. Raises ConfigErrors with every problem of both.
    """
    document = parse(read(path), str(path))
    if environment is not None:
        over = overlay_path(path, environment)
        document = document.overlaid(parse(read(over), str(over)))
    return validated(document, path.absolute().parent)


def load_text(text: str, *, directory: Path = Path(), file: str = "migration.toml") -> Migration:
    """The migration in *text*, as if it stood in *file* in *directory*. Raises ConfigErrors with every problem."""
    return validated(parse(text, file), directory)


def validated(document: Document, directory: Path) -> Migration:
    """The migration that *document* describes, its file being in *directory*. Raises ConfigErrors."""
    secrets = literal_secrets(document.data)
    shaped, troubles = shape(document.data)
    migration = None
    try:
        if "directory" in shaped:
            troubles.append(Trouble(("directory",), "unknown key", "remove it: the folder is the file's own"))
        migration = Migration.model_validate({**shaped, "directory": directory})
    except ValidationError as error:
        troubles += troubles_of(error, shaped)
    hidden = {secret.path for secret in secrets}
    troubles = [trouble for trouble in troubles if trouble.path not in hidden]
    troubles += secrets
    troubles += across(migration or partial(shaped), document.data, whole=not troubles and migration is not None)
    if troubles or migration is None:
        raise ConfigErrors(document.file, _sorted(document, troubles))
    return migration


def _sorted(document: Document, troubles: list[Trouble]) -> tuple[Problem, ...]:
    problems = dict.fromkeys(document.problem(trouble) for trouble in troubles)
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line or 0, problem.key, problem.seen)))
