"""Is every scheduled job in Kovra Cloud's hands now?"""

from kovra_checks import Check, Job, check
from kovra_checks.observations import platform
from kovra_checks.rules import jobs


@check("scheduled-jobs-exist")
def test_scheduled_jobs_exist(job: Job) -> Check:
    target = platform.TargetJobs(job.app)
    source = platform.SourceProcesses(job.app)
    if job.source_process is None:
        return Check(target, lambda seen: jobs.exists_once(job, seen[target], None, handed_over=True))
    return Check((target, source), lambda seen: jobs.exists_once(job, seen[target], seen[source], handed_over=True))
