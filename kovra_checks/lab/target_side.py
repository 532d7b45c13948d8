"""What stands behind Kovra's API in the lab: its ingress, its database server, and the deployed shop."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from psycopg import sql

from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response, problem
from kovra_checks.lab.postgres import PgServer
from kovra_checks.lab.sample_app import Gone, ShopApp

__all__ = ["TargetSide"]


class TargetSide:
    """Does what Kovra Cloud would do when its API is told so. Its methods are called from the API's threads.

    Args:
        edge: The ingress, on all of its addresses.
        database_server: Where managed databases are made.
        ca: Issues the ingress's certificates.
        password: Of every managed database's role (a lab secret).
    """

    def __init__(self, edge: Edge, database_server: PgServer, ca: LabCA, password: str) -> None:
        self.edge = edge
        self.app: ShopApp | None = None
        self.hosts: set[str] = set()
        self._server = database_server
        self._ca = ca
        self._password = password
        self._variables: dict[str, str] | None = None
        self._jobs: set[str] = set()
        self._lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        """Hand the request to the shop; the ingress's own page when there is none."""
        while (app := self.app) is not None:
            try:
                return app.handle(request)
            except Gone:
                if app is self.app:
                    break  # stopped for good, not replaced
        return problem(503, "no endpoints available")

    def create_database(self, name: str) -> str:
        """Make a role and a database called *name*, and return the URL of the managed database (a secret).

        The host is the server's address: an internal service name does not resolve on loopback.
        """
        role = name.replace("-", "_")
        with self._server.admin("postgres") as session:  # one that Kovra was told to delete may still be there
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        self._server.create_role_and_database(role, self._password, name)
        return self._server.url(role, self._password, name, "require")

    def deploy(self, host: str, variables: Mapping[str, str]) -> None:
        """(Re)start the shop with *variables* and serve it for *host* and every attached domain."""
        with self._lock:
            self._variables = dict(variables)
            self.hosts.add(host)
            before, self.app = self.app, ShopApp(self._variables, ca_file=str(self._ca.root_file))
            if before is not None:
                self.app.behaviour = before.behaviour
            for job in self._jobs:
                self.app.scheduler.schedule(job)
            self.app.start()
            for each in sorted(self.hosts):
                self.serve(each)
            if before is not None:
                before.stop()

    def attach(self, domain: str) -> None:
        """Serve *domain* with a certificate of its own on every address."""
        with self._lock:
            self.hosts.add(domain)
            self.serve(domain)

    def detach(self, domain: str) -> None:
        """Serve *domain* no longer."""
        with self._lock:
            self.hosts.discard(domain)
            self.edge.route(domain, None)
            self.edge.remove_certificate(domain)

    def undeploy(self) -> None:
        """Stop the shop and forget it."""
        with self._lock:
            before, self.app, self._variables = self.app, None, None
            for host in sorted(self.hosts):
                self.edge.route(host, None)
                self.edge.remove_certificate(host)
            self.hosts.clear()
            if before is not None:
                before.stop()

    def serve(self, host: str) -> None:
        """Issue a certificate for *host* where it has none, and route it to the shop."""
        for address in self.edge.addresses:
            if host not in self.edge.certificate_hosts(address):
                chain, key = self._ca.issue([host])
                self.edge.set_certificate(host, chain.decode(), key.decode(), address)
        self.edge.route(host, self)

    def schedule(self, job: str, *, active: bool) -> None:
        """Run *job* in the shop from now on, or no longer."""
        with self._lock:
            (self._jobs.add if active else self._jobs.discard)(job)
            if self.app is not None:
                (self.app.scheduler.schedule if active else self.app.scheduler.unschedule)(job)

    def save(self) -> dict[str, Any]:
        """What `load` needs to deploy the same again."""
        with self._lock:
            return {"variables": self._variables, "hosts": sorted(self.hosts), "jobs": sorted(self._jobs)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Deploy as saved; the database server must run."""
        with self._lock:
            self.hosts = set(state["hosts"])
            self._jobs = set(state["jobs"])
            for host in sorted(self.hosts):
                self.serve(host)
            if state["variables"] is not None:
                self.deploy(next(iter(sorted(self.hosts))), state["variables"])

    def stop(self) -> None:
        """Stop the shop; `save` still tells what was deployed."""
        with self._lock:
            if self.app is not None:
                self.app.stop()
                self.app = None
