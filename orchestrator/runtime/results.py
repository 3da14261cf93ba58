"""
The results of tasks: fetched, downloaded, kept as artifacts, and told.

A result is the job's when its bytes are ours. Links end: where one does not work the
provider is asked for fresh ones before a result that was paid for is given up.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from orchestrator.artifacts.artifact import Artifact
from orchestrator.clock import SECOND, Clock
from orchestrator.engine import triggers as t
from orchestrator.engine.large import Unavailable
from orchestrator.errors import ErrorClass, Failure
from orchestrator.outcomes import Done, Failed
from orchestrator.providers.base import ResultFile
from orchestrator.runtime.asking import Asker
from orchestrator.runtime.collect import Collector, DownloadProblem, Gone, Retryable
from orchestrator.runtime.guard import RefusedUrl
from orchestrator.runtime.work import Work
from orchestrator.runtime.worker import Worker
from orchestrator.store.schedule import Schedule

log = structlog.get_logger()


class Results:
    """Collects results. `nudge` is told when a download will be tried again."""

    def __init__(
        self,
        worker: Worker,
        schedule: Schedule,
        collector: Collector,
        asker: Asker,
        clock: Clock,
        nudge: Callable[[int], None],
    ) -> None:
        self._worker, self._schedule, self._collector = worker, schedule, collector
        self._asker, self._clock, self._nudge = asker, clock, nudge

    async def collect(self, work: Work) -> None:
        """Fetch the result, unless it is known, and its files."""
        if work.job.output is not None:
            return await self._collect_known(work)
        asked_at = self._clock.now()
        outcome = await self._asker.ask(work)
        if isinstance(outcome, Done):
            return await self.download(work, outcome)
        last = work.job.deadline_at is not None and asked_at >= work.job.deadline_at
        return await self._tell(
            work, t.Checked, outcome=outcome, asked_at=asked_at, last=last, task_id=work.job.task_id
        )

    async def _collect_known(self, work: Work) -> None:
        """Fetch the files of a result that was told; where it cannot be read any more, have it told again."""
        job = work.job
        try:
            output = await self._worker.values.of(job.output)
        except Unavailable as lost:
            told = await self._asker.ask(work) if work.planned.checks else None
            if isinstance(told, Done):
                return await self.download(work, told)
            failure = Failure("result_unavailable", f"the job's result cannot be read: {lost}")
            return await self._tell(work, t.CollectFailed, failure=failure)
        files = tuple(ResultFile(file["url"], file.get("name")) for file in job.files)
        return await self.download(work, Done(output=output, files=files, credits=job.credits))

    async def download(self, work: Work, done: Done) -> None:
        """Make the files that *done* names ours, and end the job with them."""
        try:
            artifacts = await self._fetch(work, done)
        except Gone as gone:
            return await self._download_anew(work, done, gone)
        except (DownloadProblem, RefusedUrl) as problem:
            return await self._after_problem(work, problem)
        return await self._collected(work, done, artifacts)

    async def _download_anew(self, work: Work, stale: Done, gone: Gone) -> None:
        """
        Ask for fresh links and use them.

        Only the provider's word that there is no result ends it here. A link that does not work may do so in
        a while, where a file is slow to arrive at all of its servers; an answer that did not come, or
        fresh links that do not work either, say nothing about the next ones.
        """
        fresh = await self._asker.ask(work) if work.planned.checks else None
        if fresh is None or isinstance(fresh, Failed):
            return await self._collect_failed(work, gone)
        if not isinstance(fresh, Done) or _same(fresh, stale):
            later = Retryable(str(gone), getattr(fresh, "retry_after_s", None))
            return await self._after_problem(work, later)
        try:
            artifacts = await self._fetch(work, fresh)
        except Gone as again:
            return await self._after_problem(work, Retryable(str(again)))
        except (DownloadProblem, RefusedUrl) as problem:
            return await self._after_problem(work, problem)
        return await self._collected(work, fresh, artifacts)

    async def _collected(self, work: Work, done: Done, artifacts: list[Artifact]) -> None:
        await self._tell(
            work,
            t.Collected,
            output=done.output,
            credits=done.credits,
            artifacts=[artifact.to_json() for artifact in artifacts],
        )

    async def _fetch(self, work: Work, done: Done) -> list[Artifact]:
        kinds = work.planned.makes(work.job)
        if len(done.files) == 1:
            return [await self._collector.download(work.connection, done.files[0], kinds)]
        downloads = [self._collector.download(work.connection, file, kinds) for file in done.files]
        return list(await asyncio.gather(*downloads))

    async def _after_problem(self, work: Work, problem: DownloadProblem | RefusedUrl) -> None:
        """Try again later where the link may still work and there is time; else the result is lost to us."""
        now = self._clock.now()
        deadline_at = work.job.deadline_at or now
        if not isinstance(problem, Retryable) or now >= deadline_at:
            return await self._collect_failed(work, problem)
        age = now - (work.job.submitted_at or now)
        after = max(int((problem.retry_after_s or 0) * SECOND), min(SECOND + age // 4, 60 * SECOND))
        again_at = min(now + after, deadline_at)
        log.info("download.failed", job_id=work.job.id, reason=str(problem))
        await self._schedule.postpone(work.job.id, again_at)
        self._nudge(again_at)
        return None

    async def _collect_failed(self, work: Work, problem: DownloadProblem | RefusedUrl) -> None:
        cls: ErrorClass = "refused_url" if isinstance(problem, RefusedUrl) else "result_unavailable"
        await self._tell(work, t.CollectFailed, failure=Failure(cls, str(problem)))

    async def _tell(self, work: Work, kind: type[t.JobTrigger], **fields: Any) -> None:
        await self._worker.handle(work.run, kind, job=work.job.id, **fields)


def _same(fresh: Done, stale: Done) -> bool:
    """Whether both name the same links; what they are called does not matter."""
    return [file.url for file in fresh.files] == [file.url for file in stale.files]
