"""What of the events of runs a person should hear of who reads the server's own log, and nothing else."""

from collections.abc import Iterable

from orchestrator import telemetry
from orchestrator.engine import events as e

log = telemetry.logger()


def tell(run: str, events: Iterable[e.Event]) -> None:
    """Log a line for each of *events*, which are stored by now, that may need somebody."""
    for event in events:
        if isinstance(event, e.RunFailed):
            error = event.error
            log.warning(
                "run.failed",
                run_id=run,
                error_class=error.get("class"),
                code=error.get("code"),
                message=error.get("message"),
            )
        elif isinstance(event, e.JobEvent):
            _tell_of_job(run, event)


def _tell_of_job(run: str, event: e.JobEvent) -> None:
    match event:
        case e.JobUncertain():
            log.warning("job.uncertain", run_id=run, job_id=event.job, reason=event.reason)
        case e.JobAdopted():
            log.info("job.adopted", run_id=run, job_id=event.job, task_id=event.task_id, by=event.source)
        case e.JobContradicted():
            log.warning("job.contradicted", run_id=run, job_id=event.job, reason=event.reason)
        case e.JobLateResult():
            log.warning("job.late_result", run_id=run, job_id=event.job)
        case e.JobTimedOut():
            log.warning("job.timed_out", run_id=run, job_id=event.job)
        case e.DeliveryOverflow():
            log.warning("delivery.overflow", run_id=run, job_id=event.job, count=event.limit)
