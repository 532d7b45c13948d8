"""The checklist's DNS family."""

from __future__ import annotations

from kovra_checks.checklist.spec import CheckSpec

__all__ = ["CHECKS"]

CUTOVER = "DNS cutover checklist"

CHECKS: tuple[CheckSpec, ...] = (
    CheckSpec(
        id="zone-is-ready",
        title="The zone can take the swap: nameservers agree, the record fits, nothing stands beside it, CAA permits",
        stages=("precutover",),
        each="domain",
        guide="beyond the guide: what makes the record update possible",
        remedy="Correct what the finding names at your DNS host. Swap only when every nameserver holds the same zone.",
    ),
    CheckSpec(
        id="rollback-is-ready",
        title="The way back is open: the source's name still has addresses at every resolver",
        stages=("precutover",),
        each="domain",
        guide="Minimizing downtime: both sides run until the new one has proved itself",
        remedy="Keep the custom domain at the source until decommissioning, and correct domains.<name>.source_target.",
    ),
    CheckSpec(
        id="ttl-is-low",
        title="Every nameserver gives the record a TTL of at most policy.low_ttl",
        stages=("precutover",),
        each="domain",
        guide=f"{CUTOVER}: lower the TTL one to two days ahead, to between one and five minutes",
        remedy="Lower the TTL of the record (action lower-ttl, or by hand); if it was lowered, see what set it back.",
    ),
    CheckSpec(
        id="ttl-has-aged",
        title="The old TTL has run out since the lowering: no cache holds the record for longer than the low one",
        stages=("precutover",),
        each="domain",
        guide=f"{CUTOVER}: lower the TTL one to two days ahead",
        remedy="Wait until the time named and look again: a swap before it leaves users at the old side for that long.",
    ),
    CheckSpec(
        id="change-has-propagated",
        title="Every nameserver and every resolver shows the new record",
        stages=("cutover",),
        each="domain",
        guide=f"{CUTOVER}: watch the change propagate",
        remedy="See which place differs: a nameserver that does not follow its primary, a wrong value, or a cache that "
        "outlives its TTL. Roll back if users are led astray.",
    ),
    CheckSpec(
        id="cname-target-resolves",
        title="The name that Kovra gave as target has addresses at every resolver, none of them the source's",
        stages=("pitfalls",),
        each="domain",
        guide="Pitfalls: names that do not resolve",
        remedy="Verify that the CNAME target is spelt as Kovra shows it for the app's external access, and wait until "
        "the TTL of old records has run out.",
    ),
    CheckSpec(
        id="ttl-is-restored",
        title="The TTL is back to its normal value at every nameserver",
        stages=("decommission",),
        each="domain",
        guide=f"{CUTOVER}: bring the TTL back to an hour or more",
        remedy="Raise the TTL to policy.restored_ttl (action restore-ttl, or by hand).",
        severity="normal",
    ),
    CheckSpec(
        id="nothing-points-at-source",
        title="No nameserver and no resolver leads the domain to the source any more",
        stages=("decommission",),
        each="domain",
        guide=f"{CUTOVER}: retire the old side only after watching",
        remedy="Correct or delete the record before the source is removed: others can claim a name that dangles.",
    ),
    CheckSpec(
        id="dnssec-stays-valid",
        title="The zone's signatures validate before and after the swap",
        stages=("precutover", "cutover"),
        each="domain",
        guide="beyond the guide",
        remedy="Repair the chain from DS to DNSKEY to RRSIG before the swap.",
        implemented=False,
    ),
)
