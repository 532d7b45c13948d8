"""Faults of the web family: certificates, responses, service levels, integrations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kovra_checks.lab.ca import Issuer
from kovra_checks.lab.faults.base import Fault
from kovra_checks.lab.setting import DOMAIN

if TYPE_CHECKING:
    from kovra_checks.lab.world import World

__all__ = ["FAULTS"]

SAMPLED_PATH = "/orders/1"  # the first plain GET smoke test by name: what the service levels are sampled at


def _misbehave(**how: Any) -> Callable[[World], None]:
    """Change the behaviour of the shop on Kovra Cloud."""

    def inject(world: World) -> None:
        app = world.target_app
        assert app is not None, "the shop is deployed before the stages in which these faults are injected"
        for name, value in how.items():
            setattr(app.behaviour, name, value)

    return inject


def _show(
    world: World, name: str = DOMAIN, *, days: int = 90, issuer: Issuer = "trusted", only: str | None = None
) -> None:
    """Show a certificate for *name* that ends in *days* when the domain is asked for."""
    now = datetime.now(UTC)
    chain, key = world.ca.issue(
        [name], not_before=now - timedelta(days=90), not_after=now + timedelta(days=days), issuer=issuer
    )
    world.target_edge.set_certificate(DOMAIN, chain.decode(), key.decode(), only)


def _no_certificate(world: World) -> None:
    world.target_edge.remove_certificate(DOMAIN)


def _expired(world: World) -> None:
    _show(world, days=-1)


def _wrong_name(world: World) -> None:
    _show(world, f"www.{DOMAIN}")


def _untrusted(world: World) -> None:
    _show(world, issuer="unknown")


def _old_on_one_address(world: World) -> None:
    _show(world, days=-1, only=world.addresses.target_edges[1])


def _source_gone(world: World) -> None:
    world.source_edge.route(DOMAIN, None)


CERTIFICATES = (
    Fault(
        name="certificate-absent",
        breaks="The target has no certificate for the domain and shows its default one.",
        stage="precutover",
        checks=("certificate-is-provisioned", "responses-match-source"),
        inject=_no_certificate,
        remedy="DNS-01",
    ),
    Fault(
        name="certificate-expired",
        breaks="The target's certificate for the domain ended yesterday.",
        stage="precutover",
        checks=("certificate-is-provisioned", "responses-match-source"),
        inject=_expired,
        remedy="expired",
    ),
    Fault(
        name="certificate-wrong-name",
        breaks="The target shows a certificate for another name when the domain is asked for.",
        stage="precutover",
        checks=("certificate-is-provisioned", "responses-match-source"),
        inject=_wrong_name,
        remedy=f"www.{DOMAIN}",
    ),
    Fault(
        name="certificate-untrusted",
        breaks="The target's certificate for the domain comes from an issuer nobody trusts.",
        stage="precutover",
        checks=("certificate-is-provisioned", "responses-match-source"),
        inject=_untrusted,
        remedy="untrusted",
    ),
    Fault(
        name="certificate-old-on-one-address",
        breaks="The second of the target's addresses still serves an old certificate that has expired.",
        stage="precutover",
        checks=("certificate-is-provisioned",),
        inject=_old_on_one_address,
        remedy="expired",
    ),
)

RESPONSES = (
    Fault(
        name="app-unhealthy",
        breaks="The shop on Kovra Cloud answers 503 at its health path.",
        stage="precutover",
        checks=("app-is-healthy",),
        inject=_misbehave(unhealthy=True),
        remedy="/healthz",
    ),
    Fault(
        name="app-cannot-reach-database",
        breaks="The shop on Kovra Cloud cannot reach its database, so every page that needs it fails too.",
        stage="precutover",
        checks=("app-reaches-database", "smoke-test-passes", "responses-match-source"),
        inject=_misbehave(database_down=True),
        remedy="DATABASE_URL",
    ),
    Fault(
        name="smoke-wrong-body",
        breaks="The shop on Kovra Cloud answers 200 with another shop's pages.",
        stage="precutover",
        checks=("smoke-test-passes", "responses-match-source"),
        inject=_misbehave(wrong_body=True),
        remedy="contains",
    ),
    Fault(
        name="page-gone-after-swap",
        breaks="A page that smoke tests and traffic ask for answers 404 on Kovra Cloud once users come.",
        stage="cutover",
        checks=("domain-responds", "no-request-failed"),
        inject=_misbehave(missing_paths=("/products",)),
        verdict="ROLLED-BACK",
        remedy="/products",
    ),
    Fault(
        name="source-stopped-serving",
        breaks="The source does not serve the domain any more: there is no way back and nothing to compare with.",
        stage="postcutover",
        checks=("source-still-serves", "latency-holds"),
        inject=_source_gone,
        remedy="at the source",
    ),
)

AFTERWARDS = (
    Fault(
        name="error-rate-up",
        breaks="Three of ten requests to one page fail on Kovra Cloud.",
        stage="postcutover",
        checks=("error-rate-holds",),
        inject=_misbehave(error_rate=0.3, error_paths=(SAMPLED_PATH,)),
        remedy="error rate",
    ),
    Fault(
        name="latency-up",
        breaks="Every answer from Kovra Cloud takes 0.3 s longer.",
        stage="postcutover",
        checks=("latency-holds",),
        inject=_misbehave(extra_latency=0.3),
        remedy="p50",
    ),
    Fault(
        name="webhook-signature-rejected",
        breaks="The shop on Kovra Cloud refuses correctly signed webhooks.",
        stage="postcutover",
        checks=("webhook-is-delivered",),
        inject=_misbehave(webhook_rejects=True),
        remedy="signing secret",
    ),
    Fault(
        name="oauth-callback-refused",
        breaks="Logins fail on Kovra Cloud although the provider agrees.",
        stage="postcutover",
        checks=("oauth-callback-works",),
        inject=_misbehave(oauth_fails=True),
        remedy="callback",
    ),
)

FAULTS: tuple[Fault, ...] = CERTIFICATES + RESPONSES + AFTERWARDS
