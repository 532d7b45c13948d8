"""The lab as a whole: started, used by real clients, told of a move, saved, copied, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from kovra_checks.config import load
from kovra_checks.errors import ActionFailed
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.client import LabClient, copy_state
from kovra_checks.lab.setting import APP, DATABASE, DOMAIN, TARGET_HOST, ZONE
from kovra_checks.lab.traffic import lost_writes
from kovra_checks.lab.traffic_client import BrowsingClient
from kovra_checks.waiting import wait_for

StartLab = Callable[..., LabClient]


def secret(lab: LabClient, name: str) -> str:
    """A secret from the lab's folder."""
    return (lab.directory / "secrets" / name).read_text(encoding="utf-8").strip()


def source_url(lab: LabClient) -> str:
    """The source database's URL."""
    return secret(lab, "source-database-url")


def browser(lab: LabClient, host: str = DOMAIN) -> BrowsingClient:
    """A client by way of one of the lab's resolvers."""
    addresses = Addresses(lab.prefix)
    resolver = addresses.server(addresses.resolvers[0])
    return BrowsingClient(host, addresses.https_port, resolver, lab.directory / "ca.pem", keep_alive=False)


class Kovra:
    """Kovra's API as a script would use it."""

    def __init__(self, lab: LabClient) -> None:
        addresses = Addresses(lab.prefix)
        self._http = httpx.Client(
            base_url=f"https://{addresses.kovra_api}:{addresses.https_port}/v1/tenants/acme",
            headers={"Authorization": f"Bearer {secret(lab, 'kovra-token')}"},
            verify=ssl.create_default_context(cafile=str(lab.directory / "ca.pem")),
            trust_env=False,
        )

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call that must succeed."""
        answer = self._http.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def database_url(self) -> str:
        """The managed database's URL, once it is ready."""
        url = wait_for(lambda: self.do("GET", f"/databases/{DATABASE}")["url"], deadline=5, every=0.01)
        assert url is not None
        return str(url)


def move(lab: LabClient) -> Kovra:
    """Provision the target as the guide says; the data stay where they are."""
    kovra = Kovra(lab)
    kovra.do("POST", "/databases", {"name": DATABASE})
    facts = {"name": APP, "repository": "https://github.com/acme/shop", "branch": "main", "health_path": "/healthz"}
    kovra.do("POST", "/apps", {**facts, "port": 8080})
    kovra.do("PATCH", f"/apps/{APP}/variables", {"variables": {"DATABASE_URL": kovra.database_url(), "SHOP_NAME": "x"}})
    kovra.do("POST", f"/apps/{APP}/deployments", {"commit": "5f3c2a9"})
    kovra.do("POST", f"/apps/{APP}/domains", {"name": DOMAIN, "tls": True})
    job = {"schedule": "0 3 * * *", "timezone": "UTC", "command": "x", "suspended": False}
    kovra.do("PUT", f"/apps/{APP}/jobs/nightly", job)
    return kovra


def heroku(lab: LabClient, path: str, body: dict[str, Any]) -> None:
    """Change something at the source by its API."""
    addresses = Addresses(lab.prefix)
    answer = httpx.patch(
        f"https://{addresses.heroku_api}:{addresses.https_port}{path}",
        headers={
            "Authorization": f"Bearer {secret(lab, 'heroku-token')}",
            "Accept": "application/vnd.heroku+json; version=3",
        },
        json=body,
        verify=ssl.create_default_context(cafile=str(lab.directory / "ca.pem")),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def test_serves_the_shop_to_its_users(start_lab: StartLab) -> None:
    """A started lab serves the shop by name over verified TLS, and nothing its users ask fails."""
    lab = start_lab(traffic=True)
    assert browser(lab).ask("GET", "/products").status == 200
    busy = wait_for(lambda: lab.traffic().writes_acknowledged > 10 or None, deadline=15, every=0.1)
    assert busy, lab.traffic()
    assert lab.traffic().failed == 0
    lines = [json.loads(line) for line in (lab.directory / "traffic.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {"t", "host", "method", "path", "status", "ms", "address", "ok", "error", "kind"}
    assert {line["address"] for line in lines} == {Addresses(lab.prefix).source_edge}


def test_migration_file_can_be_loaded(start_lab: StartLab) -> None:
    """The lab's migration.toml is valid, and no secret stands in it."""
    lab = start_lab()
    migration = load(lab.migration)
    assert [domain.name for domain in migration.domains] == [DOMAIN]
    assert migration.domains[0].zone == ZONE
    assert migration.path(migration.ca_file or Path()).exists()
    assert "canary" not in lab.migration.read_text(encoding="utf-8")
    modes = {path.stat().st_mode & 0o777 for path in (lab.directory / "secrets").iterdir()}
    assert modes == {0o600}


def test_kovra_does_what_its_api_was_told(start_lab: StartLab) -> None:
    """Databases, deployments, domains and jobs told to Kovra's API become real, also after a restart from a copy."""
    lab = start_lab()
    kovra = move(lab)
    url = kovra.database_url()
    assert "sslmode=require" in url
    with psycopg.connect(url) as session:
        assert session.execute("SELECT current_user").fetchone() == (DATABASE,)
    assert browser(lab, TARGET_HOST).ask("GET", "/healthz/db").status == 200
    assert lab.state()["jobs"]["target"] == ["nightly"]
    lab.stop()
    copy = lab.directory.with_name("copy")
    copy_state(lab.directory, copy)
    again = start_lab("copy")
    assert again.prefix == lab.prefix
    assert browser(again, TARGET_HOST).ask("GET", "/healthz/db").status == 200
    assert again.state()["jobs"]["target"] == ["nightly"]
    assert DOMAIN in again.state()["target"]["hosts"]


def test_source_does_what_its_api_was_told(start_lab: StartLab) -> None:
    """Scaling the clock to nothing stops its job; the maintenance page replaces the shop."""
    lab = start_lab()
    assert lab.state()["jobs"]["source"] == ["nightly"]
    heroku(lab, "/apps/shop-web/formation", {"updates": [{"type": "clock", "quantity": 0}]})
    assert lab.state()["jobs"]["source"] == []
    heroku(lab, "/apps/shop-web", {"maintenance": True})
    assert browser(lab).ask("GET", "/").status == 503
    heroku(lab, "/apps/shop-web", {"maintenance": False})
    assert browser(lab).ask("GET", "/").status == 200


def test_freeze_defers_writes_and_fails_nothing(start_lab: StartLab) -> None:
    """While the source takes no writes, orders are deferred; none fails, and none that was acknowledged is lost."""
    lab = start_lab(traffic=True)
    url = source_url(lab)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shop'"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        owner.execute(cut)
        deferred = wait_for(lambda: lab.traffic().writes_deferred > 0 or None, deadline=15, every=0.1)
        owner.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        owner.execute(cut)
    assert deferred, lab.traffic()
    waited = wait_for(lambda: lab.traffic().longest_deferral_s > 0 or None, deadline=15, every=0.1)
    assert waited, lab.traffic()
    assert lab.traffic().failed == 0
    lab.stop()
    lab = start_lab()
    assert lost_writes(lab.directory, {"source": url}) == {"source": []}


def test_saved_while_used(start_lab: StartLab) -> None:
    """Saving a lab that is in use fails no request, and what was acknowledged before is in the copy."""
    lab = start_lab(traffic=True)
    wait_for(lambda: lab.traffic().writes_acknowledged > 3 or None, deadline=15, every=0.1)
    copy = lab.directory.with_name("copy")
    lab.save(copy)
    before = lab.traffic().requests
    assert wait_for(lambda: lab.traffic().requests > before + 20 or None, deadline=15, every=0.1)
    assert lab.traffic().failed == 0
    url = source_url(lab)
    lab.stop()
    start_lab("copy")
    assert lost_writes(copy, {"source": url}) == {"source": []}


def test_faults_are_armed_by_name(start_lab: StartLab) -> None:
    """An unknown fault is refused with the names there are; a moment without faults injects nothing."""
    lab = start_lab()
    with pytest.raises(ActionFailed, match="no fault 'no-such-thing'"):
        lab.arm("no-such-thing")
    assert lab.moment("cutover", "before-actions") == ()


def processes_of(directory: Path) -> list[int]:
    """Processes that have *directory* in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(directory).encode() in command:
                found.append(int(entry.name))
    return sorted(found)


def postgres_alive(lab: LabClient) -> bool:
    """Whether the source's server still answers."""
    try:
        psycopg.connect(source_url(lab), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_nothing_is_left_after_stop(start_lab: StartLab) -> None:
    """Stopping ends the server, the traffic and both databases; stopping again does nothing."""
    lab = start_lab(traffic=True)
    assert len(processes_of(lab.directory)) >= 2
    lab.stop()
    lab.stop()
    assert processes_of(lab.directory) == []
    assert not postgres_alive(lab)
    assert not (lab.directory / "lab.json").exists()


def test_nothing_is_left_when_the_parent_is_killed(start_lab: StartLab, tmp_path: Path) -> None:
    """A lab whose parent was killed notices, and ends with all of its processes."""
    folder = tmp_path / "orphan"
    start_lab("orphan").stop()  # so that the fixture removes its data
    code = "import sys, pathlib, signal; from kovra_checks.lab.client import LabClient; "
    code += "LabClient.start(pathlib.Path(sys.argv[1])); print('ready', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        lab = LabClient.attach(folder)
        assert lab is not None
        os.kill(parent.pid, signal.SIGKILL)
    gone = wait_for(lambda: not processes_of(folder) or None, deadline=15, every=0.1)
    assert gone, processes_of(folder)
    assert not postgres_alive(lab)
    lab.stop()


def test_block_in_use_is_refused(start_lab: StartLab) -> None:
    """Two labs cannot share an address block: the second says so."""
    block = start_lab().prefix
    with pytest.raises(ActionFailed, match="Address already in use"):
        start_lab("second", prefix=block)
