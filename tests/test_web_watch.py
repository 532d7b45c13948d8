"""The traffic watch as a real process, and the question to its log."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fix_tls import SHOP, Sides

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.exchange import html
from kovra_checks.observations.traffic import TrafficSeen, TrafficWatch
from kovra_checks.outcome import adapter, as_json
from kovra_checks.probes.traffic import lines, traffic_seen
from kovra_checks.rules.slo import no_request_failed
from kovra_checks.waiting import wait_for
from kovra_checks.watch import TrafficWatcher, settings_for

WATCH = {"rate": 20.0, "paths": ["/", "/products"]}


@pytest.fixture
def access(sides: Sides) -> Access:
    """Both sides serve the watched pages."""
    for site in (sides.source, sides.target):
        site.pages.update({"/": html(200, "shop"), "/products": html(200, "mugs")})
    return sides.access(watch=WATCH)


@pytest.fixture
def watcher(access: Access) -> Iterator[TrafficWatcher]:
    """A running watch."""
    found = TrafficWatcher(access)
    found.start()
    yield found
    found.stop()


def write(log: Path, *told: dict[str, Any]) -> None:
    """Append lines to a log."""
    with log.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in told)


def line(t: float, **more: Any) -> dict[str, Any]:
    """A line of real traffic."""
    return {"t": t, "host": SHOP, "ok": True, "status": 200, "ms": 5.0, "address": "127.0.0.1", **more}


@pytest.mark.usefixtures("watcher")
def test_watch_follows_the_name(sides: Sides, access: Access) -> None:
    """The watch reads every path by the name, and follows it to the other side without a failure."""
    sides.swap()
    target = sides.addresses.target_edges[0]
    log = access.work / "watch.jsonl"
    assert wait_for(lambda: any(each.address == target for each in lines(log)) or None, deadline=15)
    seen = traffic_seen(TrafficWatch(SHOP), access)
    assert no_request_failed(seen, SHOP) == []
    assert seen.requests > 2
    assert {share.address for share in seen.addresses} >= {sides.addresses.source_edge, target}
    assert {each.path for each in lines(log)} == {"/", "/products"}
    assert seen.logs == ("watch.jsonl",)
    assert adapter(TrafficSeen).validate_python(as_json(seen)) == seen


@pytest.mark.usefixtures("watcher")
def test_failures_are_seen_until_now(sides: Sides, access: Access) -> None:
    """What fails just before the question is put is in the answer."""
    del sides.source.pages["/products"]
    seen = traffic_seen(TrafficWatch(SHOP), access)
    (finding,) = no_request_failed(seen, SHOP)
    assert f"GET /products at {sides.addresses.source_edge}: status 404" in str(finding)


@pytest.mark.usefixtures("watcher")
def test_a_name_that_vanishes_is_a_failure(sides: Sides, access: Access) -> None:
    """Users without an address are turned away, and the watch says so."""
    sides.dns.set_record("example.test", SHOP, "CNAME", 1, ())
    sides.dns.flush_resolvers()
    log = access.work / "watch.jsonl"
    failed = wait_for(lambda: next((each for each in lines(log) if not each.ok), None), deadline=15)
    assert failed is not None
    assert failed.address is None
    assert "the name has no address" in str(failed.error)


def test_a_watch_that_ended_is_no_evidence(watcher: TrafficWatcher, access: Access) -> None:
    """A watch that stopped early says nothing about the present, and can be stopped twice."""
    watcher.stop()
    watcher.stop()
    with pytest.raises(CouldNotLook, match="it has ended"):
        traffic_seen(TrafficWatch(SHOP), access)


def test_a_new_watch_keeps_the_old_log(access: Access) -> None:
    """What an earlier watch saw is kept aside and not judged again."""
    write(access.work / "watch.jsonl", line(1.0, ok=False, status=500))
    watcher = TrafficWatcher(access)
    watcher.start()
    watcher.start()
    try:
        assert traffic_seen(TrafficWatch(SHOP), access).failed == 0
    finally:
        watcher.stop()
    (kept,) = access.work.glob("watch-*.jsonl")
    assert [each.status for each in lines(kept)] == [500]


def test_watch_ends_with_its_parent(access: Access, tmp_path: Path) -> None:
    """A watch whose parent is somebody else ends by itself; so does one whose time is over."""
    settings = tmp_path / "watch.json"
    for changed in ({"parent": 1}, {"longest": 0.0}):
        told = replace(settings_for(access), **changed)
        settings.write_text(json.dumps(asdict(told)))
        command = [sys.executable, "-m", "kovra_checks.watch", str(settings)]
        assert subprocess.run(command, timeout=30, check=False).returncode == 0


def test_watch_that_cannot_start(sides: Sides) -> None:
    """A watch that cannot run is told at once, with its own words."""
    access = sides.access(watch=WATCH, ca_file=str(sides.directory / "missing.pem"))
    with pytest.raises(CouldNotLook, match=r"start the traffic watch: FileNotFoundError: .* No such file"):
        TrafficWatcher(access).start()


def test_nothing_to_watch(sides: Sides) -> None:
    """A migration without domains needs no watch."""
    access = sides.access(domains=[])
    watcher = TrafficWatcher(access)
    watcher.start()
    watcher.stop()
    assert not (access.work / "watch.jsonl").exists()


def with_log(sides: Sides, *told: dict[str, Any]) -> Access:
    """An Access whose migration names a log of real traffic."""
    write(sides.directory / "traffic.jsonl", *told)
    return sides.access(watch={"traffic_log": "traffic.jsonl"})


def test_real_traffic_is_judged_too(sides: Sides) -> None:
    """Real traffic within the watch window counts; older lines and other hosts do not."""
    now = time.time()
    seen = traffic_seen(
        TrafficWatch(SHOP),
        with_log(
            sides,
            line(now - 9000, ok=False),
            line(now - 5, host="other.example.test", ok=False),
            line(now - 2, kind="deferred", status=503, ms=8.0),
            line(now - 3, kind="write", extra="ignored"),
            line(now - 1, ok=False, status=None, ms=None, address=None, error="cut off"),
        ),
    )
    assert (seen.requests, seen.failed, seen.deferred, seen.p50, seen.p95) == (3, 1, 1, 5.0, 8.0)
    assert [(share.address, share.requests) for share in seen.addresses] == [("", 1), ("127.0.0.1", 2)]
    assert seen.failures[0].error == "cut off"
    assert seen.first < seen.last


def test_no_request_is_no_evidence(sides: Sides) -> None:
    """Silence never passes."""
    with pytest.raises(CouldNotLook, match=r"none in traffic\.jsonl"):
        traffic_seen(TrafficWatch(SHOP), with_log(sides))
    with pytest.raises(CouldNotLook, match="no traffic watch ran"):
        traffic_seen(TrafficWatch(SHOP), sides.access())


def test_a_log_that_is_not_there(sides: Sides) -> None:
    """A configured log that is missing is not an empty one."""
    access = sides.access(watch={"traffic_log": "nowhere.jsonl"})
    with pytest.raises(CouldNotLook, match=r"read the traffic log nowhere\.jsonl: No such file"):
        traffic_seen(TrafficWatch(SHOP), access)


def test_unreadable_lines(sides: Sides) -> None:
    """A line that is not as documented cannot be judged; one that is still being written is left out."""
    access = with_log(sides, line(time.time()))
    log = sides.directory / "traffic.jsonl"
    with log.open("a") as file:
        file.write('{"t": 1, "host": "sh')
    assert traffic_seen(TrafficWatch(SHOP), access).requests == 1
    with log.open("a") as file:
        file.write('op"}\n')
    with pytest.raises(CouldNotLook, match=r"a line unlike docs/traffic-log\.md: ok Field required"):
        traffic_seen(TrafficWatch(SHOP), access)


def test_wildcard_is_about_its_names(sides: Sides) -> None:
    """A wildcard domain is judged by every name one label below it."""
    access = with_log(sides, line(time.time(), host="a.shop.test"), line(time.time(), host="a.b.shop.test"))
    assert traffic_seen(TrafficWatch("*.shop.test"), access).requests == 1
