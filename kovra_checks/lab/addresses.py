"""Where a lab's servers listen: one loopback block per lab, the same ports in each."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Addresses"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """All addresses of one lab.

    Attributes:
        prefix: The block's first three numbers, e.g. `127.23.7`.
    """

    prefix: str
    https_port: int = 10443
    http_port: int = 10080
    dns_port: int = 10053
    postgres_port: int = 15432
    control_port: int = 10099

    def at(self, host: int) -> str:
        """The address with last number *host*."""
        return f"{self.prefix}.{host}"

    @property
    def source_edge(self) -> str:
        """The source platform's router."""
        return self.at(10)

    @property
    def target_edges(self) -> tuple[str, str]:
        """Kovra's two ingress addresses."""
        return self.at(20), self.at(21)

    @property
    def heroku_api(self) -> str:
        """The source's platform API."""
        return self.at(30)

    @property
    def heroku_data_api(self) -> str:
        """The source's data API (databases and backups)."""
        return self.at(31)

    @property
    def kovra_api(self) -> str:
        """Kovra's control API."""
        return self.at(40)

    @property
    def nameservers(self) -> tuple[str, str]:
        """Primary (takes updates) and secondary."""
        return self.at(53), self.at(54)

    @property
    def resolvers(self) -> tuple[str, str, str]:
        """Three independent caching resolvers."""
        return self.at(61), self.at(62), self.at(63)

    @property
    def source_postgres(self) -> str:
        """The source's database server."""
        return self.at(70)

    @property
    def target_postgres(self) -> str:
        """Kovra's database server."""
        return self.at(71)

    @property
    def oauth_provider(self) -> str:
        """The outside party that logs users in."""
        return self.at(80)

    @property
    def object_store(self) -> str:
        """The outside party that keeps uploads."""
        return self.at(81)

    @property
    def control(self) -> str:
        """The lab's own control endpoint."""
        return self.at(90)

    def server(self, address: str) -> str:
        """*address* as a DNS server of this lab, `address:port`."""
        return f"{address}:{self.dns_port}"
