"""The checklist's web family: certificates, responses, service levels, integrations."""

from __future__ import annotations

from kovra_checks.checklist.spec import CheckSpec

__all__ = ["CHECKS"]

PRECUTOVER = (
    CheckSpec(
        id="app-is-healthy",
        title="Each app answers its health path on Kovra Cloud",
        stages=("precutover",),
        each="app",
        guide="DNS cutover checklist, before: the app runs and is healthy",
        remedy="Read the app's logs on Kovra Cloud; compare its variables, port and health path with the source.",
    ),
    CheckSpec(
        id="app-reaches-database",
        title="Each app on Kovra Cloud reaches its database",
        stages=("precutover",),
        each="app",
        guide="DNS cutover checklist, before: the database is migrated and the app connects to it",
        remedy="Let DATABASE_URL name the managed database's internal service, redeploy, and read the app's logs.",
    ),
    CheckSpec(
        id="certificate-is-provisioned",
        title="Every address of the target serves an accepted certificate for the domain, before any user comes",
        stages=("precutover",),
        each="domain",
        guide="DNS cutover checklist, before: the domain's TLS certificate is provisioned",
        remedy="HTTP-01 needs the name to lead to Kovra: issue by DNS-01, delegate _acme-challenge, or accept a "
        'bounded gap (certificate = "bounded-gap").',
    ),
    CheckSpec(
        id="smoke-test-passes",
        title="Each smoke test gets its expected answer on the generated subdomain",
        stages=("precutover",),
        each="app_request",
        guide="DNS cutover checklist, before: smoke tests on the generated subdomain",
        remedy="Send the request by hand to the generated subdomain and compare it with what the source answers.",
    ),
    CheckSpec(
        id="responses-match-source",
        title="Source and target give the same answer to the same request",
        stages=("precutover",),
        each="compared_request",
        guide="beyond the guide: the same answers as the source",
        remedy="Deploy the same commit with the same variables and data; list what may differ under `ignore` of the "
        "request.",
        severity="critical",
    ),
)

CUTOVER = (
    CheckSpec(
        id="domain-responds",
        title="The app answers at the custom domain, by its name, at every address",
        stages=("cutover",),
        each="domain",
        guide="DNS cutover checklist, cutover: the app responds at the custom domain",
        remedy="Roll back if users are affected; then see whether the domain is attached to the app on Kovra Cloud.",
    ),
    CheckSpec(
        id="certificate-is-served",
        title="Users of the custom domain get an accepted certificate at every address",
        stages=("cutover",),
        each="domain",
        guide="DNS cutover checklist, cutover: the TLS certificate is served",
        remedy="See the status under External Access of the app; issuance usually takes 1 to 2 minutes once DNS leads "
        "to Kovra.",
    ),
    CheckSpec(
        id="no-request-failed",
        title="Not one request to the domain failed during the cutover",
        stages=("cutover",),
        each="domain",
        guide="beyond the guide: zero downtime, measured",
        remedy="See in the failed requests' times and addresses which side failed; roll back if it goes on.",
        severity="critical",
    ),
    CheckSpec(
        id="source-still-serves",
        title="The source still answers for the domain, as the way back",
        stages=("cutover", "postcutover"),
        each="domain",
        guide="Minimizing downtime: both sides run, the old one stays as a fallback",
        remedy="Start the app at the source again and keep its domain attached until the soak is over.",
        severity="critical",
    ),
)

POSTCUTOVER = (
    CheckSpec(
        id="error-rate-holds",
        title="The app fails no more requests than the source does",
        stages=("postcutover",),
        each="app",
        guide="DNS cutover checklist, after: error rates are watched",
        remedy="Read the app's logs for the failing path; roll back if users are affected.",
        severity="critical",
    ),
    CheckSpec(
        id="latency-holds",
        title="The app answers about as fast as the source does",
        stages=("postcutover",),
        each="app",
        guide="DNS cutover checklist, after: latency is watched",
        remedy="Compare CPU and memory limits, replicas, and the way to the database with the source.",
        severity="normal",
    ),
    CheckSpec(
        id="webhook-is-delivered",
        title="A signed webhook reaches the app at its domain",
        stages=("postcutover",),
        each="webhook",
        guide="DNS cutover checklist, after: webhooks work with the new endpoints",
        remedy="Copy the signing secret to the target, and see that the path is public there.",
        severity="critical",
    ),
    CheckSpec(
        id="oauth-callback-works",
        title="A login comes back to the domain and is accepted",
        stages=("postcutover",),
        each="oauth",
        guide="DNS cutover checklist, after: OAuth callbacks work with the new endpoints",
        remedy="Register the callback's exact URL at the provider; copy client id and secret to the target.",
        severity="critical",
    ),
)

CHECKS: tuple[CheckSpec, ...] = PRECUTOVER + CUTOVER + POSTCUTOVER
