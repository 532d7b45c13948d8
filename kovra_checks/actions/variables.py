"""Takes variables over to the target. Values pass through memory only: plans, facts and messages hold names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kovra_checks.access import Access
from kovra_checks.actions.base import Plan, Progress, Step
from kovra_checks.errors import ActionFailed
from kovra_checks.migration import App
from kovra_checks.outcome import Finding
from kovra_checks.rules.variables import is_copied, name_on_target

__all__ = ["SetVariables", "copy_variables", "point_app_at_database"]

Wanted = Callable[[App, Access], Mapping[str, str | None]]


@dataclass(frozen=True, slots=True)
class SetVariables:
    """Sets variables of the app on the target, those that are not as wanted.

    Undo removes what was not there before. A value that was replaced is a secret, so it is on no record and stays.

    Attributes:
        name: Action id.
        app: Whose variables.
        wanted: Looks up name and value (a secret; None while it is not known yet) of each.
        told: What a plan says instead of a value.
    """

    name: str
    app: App
    wanted: Wanted
    told: str
    stage: ClassVar[str] = "provision"

    @property
    def subject(self) -> str:
        """The app."""
        return self.app.name

    def _there(self, access: Access) -> dict[str, str | None]:
        """Name and value on the target; nothing before the app exists."""
        kovra = access.kovra()
        if kovra.app(self.app.target_name) is None:
            return {}
        return {name: variable.value for name, variable in kovra.variables(self.app.target_name).items()}

    def _pending(self, access: Access, there: Mapping[str, str | None]) -> dict[str, str | None]:
        wanted = sorted(self.wanted(self.app, access).items())
        return {name: value for name, value in wanted if name not in there or value is None or there[name] != value}

    def plan(self, access: Access) -> Plan:
        """A step for each variable that is absent or different."""
        there = self._there(access)
        pending = self._pending(access, there)
        steps = tuple(
            Step(f"{name} of {self.app.target_name}", "(another value)" if name in there else "absent", self.told)
            for name in pending
        )
        replaced = [name for name in pending if name in there]
        note = f"replaced values are on no record and are not undone: {', '.join(replaced)}" if replaced else ""
        added = [name for name in pending if name not in there]
        return Plan(f"{self.name}[{self.subject}]", steps, {"added": added}, note=note)

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        """Set what differs, in one call."""
        pending = self._pending(access, self._there(access))
        unknown = [name for name, value in pending.items() if value is None]
        if unknown:
            raise ActionFailed(
                f"set {', '.join(unknown)} of {self.app.target_name}",
                seen="the value is not known yet: the managed database has no URL",
                remedy="wait until the managed database is ready, then run again",
            )
        if pending:
            progress(f"setting {len(pending)} variables of {self.app.target_name}: {', '.join(pending)}")
            access.kovra().set_variables(self.app.target_name, pending)
        return {"app": self.app.target_name, "changed": sorted(pending)}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """Nothing differs any more. A value that Kovra hides counts as set if this action is on record for it."""
        there = self._there(access)
        hidden = {name for name in facts.get("changed", ()) if name in there and there[name] is None}
        pending = sorted(self._pending(access, there).keys() - hidden)
        return [Finding(f"{name} of {self.app.target_name} (absent or different) == {self.told}") for name in pending]

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """Remove what was added."""
        there = self._there(access)
        added = [name for name in undo.get("added", ()) if name in there]
        if added:
            progress(f"removing {', '.join(added)} from {self.app.target_name}")
            access.kovra().set_variables(self.app.target_name, dict.fromkeys(added))


def copy_variables(app: App) -> SetVariables:
    """Copy the source's own variables, renamed and with given values as configured.

    What an add-on or the platform put there is left, and so is what must differ, what is retired, and a value that the
    source does not show: `variables-match-source` names those.
    """
    return SetVariables("copy-variables", app, _copied, "(the source's value, or the given one)")


def point_app_at_database(app: App) -> SetVariables:
    """Set each database variable to the managed database's URL."""
    return SetVariables("point-app-at-database", app, _database_urls, "(the managed database's URL)")


def _copied(app: App, access: Access) -> Mapping[str, str | None]:
    copied: dict[str, str | None] = {
        name_on_target(app, variable.name): variable.value
        for variable in access.source().variables(app.source).values()
        if variable.value is not None and is_copied(app, variable.name, variable.origin)
    }
    return copied | {name: access.secrets.resolve(reference) for name, reference in app.variables.set.items()}


def _database_urls(app: App, access: Access) -> Mapping[str, str | None]:
    return {variable: _url(access, database) for variable, database in app.databases.items()}


def _url(access: Access, name: str) -> str | None:
    """The target's URL; None while the managed database is absent or not ready."""
    database = access.migration.database(name)
    if database.target_url is not None:
        return access.database_url(name, "target")
    managed = access.kovra().database(database.target_name)
    return None if managed is None else managed.url
