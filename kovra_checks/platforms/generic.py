"""A source without an API of ours: what the migration file says is known, everything else could not be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from kovra_checks.access import Access
from kovra_checks.errors import ActionFailed, CouldNotLook
from kovra_checks.protocols import SourceApp, SourceDatabase, SourceDomain, Variable

__all__ = ["Generic"]


class Generic:
    """The source platform's client for any other platform."""

    def __init__(self, access: Access) -> None:
        self._migration = access.migration

    def app(self, name: str) -> SourceApp:
        """What the file says of the app. Processes are not known: none are listed."""
        found = next((app for app in self._migration.apps if app.source == name), None)
        if found is None:
            self._unknown(f"app {name}", "name it under [apps]")
        return SourceApp(
            name=name, region=None, commit=found.commit, maintenance=False, processes={}, commands={}, web_url=None,
            repository=found.repository, branch=found.branch,
        )  # fmt: skip

    def apps(self) -> Sequence[str]:
        """Cannot be known."""
        self._unknown("all apps", "compare the list by hand and waive the check with your name and reason")

    def variables(self, app: str) -> Mapping[str, Variable]:
        """Cannot be known."""
        self._unknown(f"variables of {app}", "compare them by hand and waive the check with your name and reason")

    def domains(self, app: str) -> Sequence[SourceDomain]:
        """What the file says."""
        return [
            SourceDomain(domain.name, domain.source_target, None)
            for domain in sorted(self._migration.domains, key=lambda domain: domain.name)
            if self._migration.app(domain.app).source == app
        ]

    def databases(self, app: str) -> Sequence[SourceDatabase]:
        """Cannot be known through a platform; the database itself is asked by its URL."""
        self._unknown(f"databases of {app}", "they are read by databases.*.source_url instead")

    def capture_backup(self, app: str, database: str) -> str:
        """Not possible."""
        self._by_hand(f"back up {database} of {app}")

    def scale(self, app: str, processes: Mapping[str, int]) -> Mapping[str, int]:
        """Not possible."""
        self._by_hand(f"scale {', '.join(sorted(processes))} of {app}")

    def set_maintenance(self, app: str, *, on: bool) -> None:
        """Not possible."""
        self._by_hand(f"switch maintenance of {app} {'on' if on else 'off'}")

    def remove_domain(self, app: str, domain: str) -> None:
        """Not possible."""
        self._by_hand(f"remove the domain {domain} from {app}")

    def _unknown(self, what: str, remedy: str) -> NoReturn:
        raise CouldNotLook(f"{what} at the source", seen='source.platform is "generic": no API to ask', remedy=remedy)

    def _by_hand(self, what: str) -> NoReturn:
        raise ActionFailed(
            f"{what} at the source",
            seen='source.platform is "generic": no API to change it with',
            remedy="do it by hand at the source, then look again without --apply",
        )
