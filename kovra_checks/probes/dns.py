"""Which function answers which DNS question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kovra_checks.access import Access
from kovra_checks.observations.dns import CaaAt, Lookup, Propagation, ResolverViews, TtlHistory, ZoneSurvey
from kovra_checks.outcome import Question
from kovra_checks.probes.dns_history import ttl_history
from kovra_checks.probes.dns_lookup import lookup
from kovra_checks.probes.dns_propagation import propagation
from kovra_checks.probes.dns_resolvers import caa_at, resolver_views
from kovra_checks.probes.dns_zone import zone_survey

__all__ = ["ANSWERERS"]

ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {
    CaaAt: caa_at,
    Lookup: lookup,
    Propagation: propagation,
    ResolverViews: resolver_views,
    TtlHistory: ttl_history,
    ZoneSurvey: zone_survey,
}
