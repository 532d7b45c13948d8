"""Does every scheduled job exist on Kovra Cloud, and does one side alone run it?"""

from kovra_checks import Check, Job, check
from kovra_checks.observations import ledger, platform
from kovra_checks.rules import jobs


@check("scheduled-jobs-exist")
def test_scheduled_jobs_exist(job: Job) -> Check:
    target = platform.TargetJobs(job.app)
    source = platform.SourceProcesses(job.app)
    hand_over = ledger.ActionFacts(f"hand-over-job[{job.name}]")
    if job.source_process is None:
        return Check(
            (target, hand_over),
            lambda seen: jobs.exists_once(job, seen[target], None, handed_over=seen[hand_over].applied),
        )
    return Check(
        (target, source, hand_over),
        lambda seen: jobs.exists_once(job, seen[target], seen[source], handed_over=seen[hand_over].applied),
    )
