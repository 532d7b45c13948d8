"""Secrets: resolved late from references, known to the masker from then on, compared by keyed digest."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from kovra_checks.errors import ConfigError

__all__ = ["MASK", "Secrets"]

MASK = "••••"
T = TypeVar("T")


class Secrets:
    """Resolves references, remembers what must be masked, digests values with a key of this run.

    The digest is HMAC-SHA256: equal values have equal digests in a run, and nobody without the key can test a guess.
    """

    def __init__(self, directory: Path, *, digest_key: bytes | None = None) -> None:
        self.directory = directory
        self.digest_key = os.urandom(32) if digest_key is None else digest_key
        self._known: set[str] = set()

    def resolve(self, reference: str) -> str:
        """The value behind `env:NAME` or `file:PATH`. Raises ConfigError when there is none."""
        kind, _, place = reference.partition(":")
        if kind == "env":
            value = os.environ.get(place)
            if not value:
                raise ConfigError(
                    f"read the secret {reference}",
                    seen=f"the environment variable {place} is not set or empty",
                    remedy=f"export {place}=… in the shell or the CI job that runs this",
                )
        else:
            path = Path(place) if Path(place).is_absolute() else self.directory / place
            try:
                value = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(
                    f"read the secret {reference}",
                    seen=f"{path}: {error.strerror}",
                    remedy="put the secret into that file, readable by you alone (chmod 600)",
                ) from None
        self.learn(value)
        return value

    def learn(self, value: str | None) -> None:
        """From now on *value* (and the password inside it, if it is a URL) is masked wherever it shows up."""
        if value is None or len(value) < 6:
            return  # shorter values cannot be told from ordinary text; they are digested, never shown
        self._known.add(value)
        if "://" in value:
            try:
                password = urlsplit(value).password
            except ValueError:
                return
            if password is not None and len(password) >= 4:
                self._known.update({password, unquote(password)})

    def mask(self, text: str) -> str:
        """*text* with every known secret blanked, longest first."""
        for value in sorted(self._known, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text

    def mask_all(self, data: T) -> T:
        """`mask` applied to every string inside plain JSON data."""
        masked: Any = data
        if isinstance(data, str):
            masked = self.mask(data)
        elif isinstance(data, dict):
            masked = {self.mask_all(key): self.mask_all(value) for key, value in data.items()}
        elif isinstance(data, list | tuple):
            masked = type(data)(self.mask_all(value) for value in data)
        result: T = masked
        return result

    def digest(self, value: str) -> str:
        """Keyed digest of *value*, 16 hex digits."""
        return hmac.new(self.digest_key, value.encode(), hashlib.sha256).hexdigest()[:16]
