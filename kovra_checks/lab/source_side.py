"""What stands behind the source platform's API in the lab: its router and the running shop."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response, html
from kovra_checks.lab.sample_app import Gone, ShopApp
from kovra_checks.lab.setting import JOB, SOURCE_JOB_PROCESS

__all__ = ["SourceSide"]


class SourceSide:
    """Does what the platform would do when its API is told so. Its methods are called from the API's threads.

    Args:
        edge: The platform's router.
        ca: Issues the router's certificates.
    """

    def __init__(self, edge: Edge, ca: LabCA) -> None:
        self.edge = edge
        self.app: ShopApp | None = None
        self.maintenance = False
        self.processes: dict[str, int] = {}
        self._ca = ca
        self._lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        """Route to the shop, or show the platform's own page: maintenance (H80), no web process (H14)."""
        if self.maintenance:
            return html(503, "<!doctype html><title>Offline for Maintenance</title>\n")
        while (app := self.app) is not None and self.processes.get("web", 1) > 0:
            try:
                return app.handle(request)
            except Gone:
                if app is self.app:
                    break  # stopped for good, not replaced
        return html(503, "<!doctype html><title>Application error</title>\n")

    def restart(self, variables: Mapping[str, str]) -> None:
        """(Re)start the shop with *variables*, as the platform does on each change of the configuration."""
        with self._lock:
            before, self.app = self.app, ShopApp(variables, ca_file=str(self._ca.root_file))
            if before is not None:
                self.app.behaviour = before.behaviour
            self._place_job()
            self.app.start()
            if before is not None:
                before.stop()

    def scale(self, processes: Mapping[str, int]) -> None:
        """Run these many processes of each type; the job runs while its process type does."""
        with self._lock:
            self.processes.update(processes)
            self._place_job()

    def serve(self, host: str) -> None:
        """Serve *host* with a certificate of its own."""
        chain, key = self._ca.issue([host])
        self.edge.set_certificate(host, chain.decode(), key.decode())
        self.edge.route(host, self)

    def unserve(self, host: str) -> None:
        """Serve *host* no longer."""
        self.edge.route(host, None)
        self.edge.remove_certificate(host)

    def stop(self) -> None:
        """Stop the shop."""
        with self._lock:
            if self.app is not None:
                self.app.stop()
                self.app = None

    def _place_job(self) -> None:
        if self.app is None:
            return
        running = self.processes.get(SOURCE_JOB_PROCESS, 0) > 0
        (self.app.scheduler.schedule if running else self.app.scheduler.unschedule)(JOB)
