"""Our own implementations of the hooks: the built-in probes, actions, clients and gate."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kovra_checks import gate
from kovra_checks.access import Clients
from kovra_checks.actions.base import Action
from kovra_checks.actions.catalogue import builtin_actions
from kovra_checks.database.observe import ANSWERERS as DATABASE
from kovra_checks.dns_providers import provider_for
from kovra_checks.gate import Decision, Evidence
from kovra_checks.hooks import Answerers
from kovra_checks.migration import Migration
from kovra_checks.platforms import kovra_cloud, source_platform
from kovra_checks.platforms.observe import ANSWERERS as PLATFORM
from kovra_checks.probes.dns import ANSWERERS as DNS
from kovra_checks.probes.http import ANSWERERS as HTTP
from kovra_checks.probes.integrations import ANSWERERS as INTEGRATIONS
from kovra_checks.probes.ledger import ANSWERERS as LEDGER
from kovra_checks.probes.tls import ANSWERERS as TLS
from kovra_checks.probes.traffic import ANSWERERS as TRAFFIC
from kovra_checks.suite import CheckFunction

__all__ = ["Builtin"]


class Builtin:
    """Plugin object. Where lists are joined ours come first; where one answer wins ours comes last."""

    def pytest_kovra_checks(self, migration: Migration) -> Iterable[CheckFunction]:  # noqa: ARG002
        """Ours stand in `suites/`."""
        return ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_kovra_actions(self, migration: Migration, stage: str) -> Iterable[Action]:
        """The checklist's actions."""
        return builtin_actions(migration, stage)

    @pytest.hookimpl(tryfirst=True)
    def pytest_kovra_probes(self) -> Answerers:
        """The built-in probes."""
        return {**DATABASE, **PLATFORM, **DNS, **HTTP, **INTEGRATIONS, **LEDGER, **TLS, **TRAFFIC}

    @pytest.hookimpl(trylast=True)
    def pytest_kovra_clients(self, migration: Migration) -> Clients:  # noqa: ARG002
        """Clients as the configuration says."""
        return Clients(source=source_platform, kovra=kovra_cloud, dns=provider_for)

    @pytest.hookimpl(trylast=True)
    def pytest_kovra_decide(self, stage: str, evidence: Evidence) -> Decision:  # noqa: ARG002
        """The fail-closed gate."""
        return gate.decide(evidence)
