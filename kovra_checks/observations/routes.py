"""Where each side of an app answers: which host is named, and which address is really connected to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kovra_checks.migration import App, Domain, Migration

__all__ = [
    "Place", "after_swap", "at_source", "at_target", "before_swap", "by_name", "concrete", "source_of", "target_of",
]  # fmt: skip

WILDCARD_LABEL = "kovra-checks"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes.

    Attributes:
        host: Named in the URL, in Host and in SNI. Empty: the platform of `side` is asked where `app` answers.
        port: TCP port.
        target: Host name (looked up at the migration's resolvers) or address to connect to; `host` itself if empty.
        sni: Another name for SNI and for the certificate's verification, where the host's own certificate may
            not exist yet; `host` if empty.
        scheme: `https` or `http`.
        app: Table key of the app when `host` is empty.
        side: Which platform to ask when `host` is empty.
    """

    host: str
    port: int = 443
    target: str = ""
    sni: str = ""
    scheme: Literal["https", "http"] = "https"
    app: str = ""
    side: Literal["source", "target"] = "target"

    @property
    def authority(self) -> str:
        """The Host header: the port is named unless it is the scheme's own (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """`https://host[:port]`."""
        return f"{self.scheme}://{self.authority}"

    @property
    def connects_to(self) -> str:
        """The name or address that is connected to."""
        return self.target or self.host


def concrete(name: str) -> str:
    """A name that can be asked for: a wildcard's `*` becomes a label of ours."""
    return WILDCARD_LABEL + name[1:] if name.startswith("*.") else name


def _first_domain(migration: Migration, app: App) -> Domain | None:
    """The app's first domain by name, or None."""
    return next((domain for domain in migration.domains if domain.app == app.name), None)


def by_name(domain: Domain) -> Place:
    """The custom domain as users reach it: by its name."""
    return Place(concrete(domain.name), domain.port)


def at_source(domain: Domain) -> Place:
    """The custom domain at the source, whatever DNS says."""
    return Place(concrete(domain.name), domain.port, domain.source_target)


def at_target(domain: Domain) -> Place:
    """The custom domain at the target, whatever DNS says."""
    return Place(concrete(domain.name), domain.port, domain.target)


def before_swap(migration: Migration, app: App) -> Place:
    """Where an app answers on Kovra Cloud while its domain still leads to the source.

    The generated subdomain: as configured, else asked of Kovra's API; without an API, the app's first domain at its
    target.
    """
    domain = _first_domain(migration, app)
    port = 443 if domain is None else domain.port
    if app.generated_host is not None:
        return Place(app.generated_host, port)
    if migration.target.api_url is None and domain is not None:
        return at_target(domain)
    return Place("", port, app=app.name)


def target_of(migration: Migration, app: App) -> Place:
    """The target's side of a comparison: the app's first domain there (Host alike on both sides), else `before_swap`.

    Where the policy accepts that the domain's certificate comes after the swap, SNI names the generated subdomain.
    """
    domain = _first_domain(migration, app)
    if domain is None:
        return before_swap(migration, app)
    sni = app.generated_host or "" if domain.certificate == "bounded-gap" else ""
    return Place(concrete(domain.name), domain.port, domain.target, sni)


def after_swap(migration: Migration, app: App) -> Place:
    """Where users find the app after the swap: its first domain by name, else the generated subdomain."""
    domain = _first_domain(migration, app)
    return before_swap(migration, app) if domain is None else by_name(domain)


def source_of(migration: Migration, app: App) -> Place:
    """The source's side of a comparison: the app's first domain there, else what the source platform says."""
    domain = _first_domain(migration, app)
    return Place("", app=app.name, side="source") if domain is None else at_source(domain)
