"""What probes and rules exchange: questions, observations, findings, checks.

A *question* is data: what to ask of which live system. A *probe* (`kovra_checks.probes`) answers it and never judges.
An *observation* is the answer with its circumstances. A *rule* (`kovra_checks.rules`) is a pure function from
observations to findings. A *check* states its questions up front and names its rule.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import TypeAdapter

from kovra_checks.errors import CouldNotLook

__all__ = ["Check", "Finding", "Observation", "Observations", "Question", "adapter", "canonical_json"]

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


def adapter(kind: type[A]) -> TypeAdapter[A]:
    """The (cached) converter between the dataclass *kind* and plain JSON data."""
    made: TypeAdapter[A] = _adapter(cast("Any", kind))
    return made


@cache
def _adapter(kind: Any) -> Any:
    return TypeAdapter(kind)


def canonical_json(data: Any) -> str:
    """One spelling per value: sorted keys, no spaces, UTF-8. What digests are made of."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Question(Generic[A_co]):
    """One question to one live system. Subclasses are frozen dataclasses of plain, secret-free values.

    Two equal questions are the same question: within a stage it is put once and all checks share the observation.
    Systems with credentials are named (database "main", side "source"), never spelt out.

    Attributes:
        kind: Stable kebab-case name, e.g. `dns-lookup`. Appears in evidence.
        answer_type: The frozen dataclass the probe returns.
        settles: True for a question that waits for the world to settle (a propagation watch): put before the others.
    """

    kind: ClassVar[str]
    answer_type: ClassVar[type]
    settles: ClassVar[bool] = False

    def fields(self) -> dict[str, Any]:
        """The question as plain JSON data, without its kind."""
        return cast("dict[str, Any]", adapter(type(self)).dump_python(self, mode="json"))

    def key(self) -> str:
        """Identity of the question: 16 hex digits over kind and fields."""
        text = canonical_json({"kind": self.kind, **self.fields()})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        asked = ", ".join(f"{name}={value}" for name, value in self.fields().items() if value not in (None, "", []))
        return f"{self.kind}({asked})"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a probe saw, or why it could not look. Serialisable; masked at capture.

    Attributes:
        key: The question's key.
        kind: The question's kind.
        question: The question's fields.
        at: When the answer was complete (UTC).
        took: Seconds between asking and answer.
        vantage: From where it was asked (host name).
        answer: The answer's fields; None if the probe could not look.
        error: Why it could not look (tried, seen, remedy); None if there is an answer.
    """

    key: str
    kind: str
    question: dict[str, Any]
    at: datetime
    took: float
    vantage: str
    answer: dict[str, Any] | None
    error: dict[str, str] | None


class Observations:
    """The observations of a stage, looked up by question: what a rule is given."""

    def __init__(self, observations: Iterable[Observation]) -> None:
        self._by_key = {observation.key: observation for observation in observations}

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._by_key.values())

    def of(self, question: Question[Any]) -> Observation:
        """The raw observation. Raises CouldNotLook if the question was never put."""
        try:
            return self._by_key[question.key()]
        except KeyError:
            raise CouldNotLook(
                f"{question}",
                seen="no observation: the question was not put, or its evidence is missing",
                remedy="run the stage again, or replay evidence that holds it",
            ) from None

    def __getitem__(self, question: Question[A]) -> A:
        """The typed answer. Raises CouldNotLook with the probe's own words if it could not look."""
        observation = self.of(question)
        if observation.error is not None:
            raise CouldNotLook(
                observation.error["tried"], seen=observation.error["seen"], remedy=observation.error["remedy"]
            )
        return cast("A", adapter(question.answer_type).validate_python(observation.answer))

    def at(self, question: Question[Any]) -> datetime:
        """When the answer was seen. Rules use this and never the clock, so that a replay judges alike."""
        return self.of(question).at


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which the world differs from what the move needs.

    Attributes:
        message: Expected and observed on one line, e.g. `shop.example.com TTL at 10.0.0.1 (3600) <= 300`.
        remedy: What to do about this very finding; "" where the check's own remedy says it all.
        until: Set when the only thing missing is time: not before this moment can it pass. Then the gate
            is INCONCLUSIVE rather than NO-GO.
    """

    message: str
    remedy: str = ""
    until: datetime | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Check:
    """What one check item asks and how it judges. Returned by the functions in `suites/`; made without any I/O.

    Attributes:
        asks: The questions, stated up front.
        judge: The rule with its expectation bound; pure.
    """

    asks: tuple[Question[Any], ...]
    judge: Callable[[Observations], Iterable[Finding]]

    def __init__(
        self, asks: Question[Any] | Iterable[Question[Any]], judge: Callable[[Observations], Iterable[Finding]]
    ) -> None:
        object.__setattr__(self, "asks", (asks,) if isinstance(asks, Question) else tuple(asks))
        object.__setattr__(self, "judge", judge)


def as_json(value: Any) -> Mapping[str, Any]:
    """A frozen dataclass as plain JSON data."""
    assert dataclasses.is_dataclass(value)
    return cast("Mapping[str, Any]", adapter(cast("type[Any]", type(value))).dump_python(value, mode="json"))
