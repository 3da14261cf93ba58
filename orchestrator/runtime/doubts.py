"""
After a restore: what the backup takes for unsent may have been sent, so it is made uncertain.

Jobs that the backup knows to be submitted are not in doubt: the provider says how their tasks stand.
Nothing else has begun yet when this is done, so nothing can be submitted before it.
"""

import structlog

from orchestrator.clock import rfc3339
from orchestrator.engine import triggers as t
from orchestrator.runtime.worker import Store, Worker
from orchestrator.store.rows import Epoch

log = structlog.get_logger()


async def settle(store: Store, worker: Worker) -> None:
    """Make uncertain what has to be, if the store was restored; what is interrupted is done again."""
    epoch = await store.open_epoch()
    if epoch is None:
        return
    doubted = await _doubt(store, worker, epoch)
    await worker.settled()
    await _look_soon(store, epoch)
    await store.take_up_epoch()
    log.warning("store.restored", taken_at=rfc3339(epoch.taken_at), jobs=doubted)


async def _doubt(store: Store, worker: Worker, epoch: Epoch) -> int:
    reason = f"the store was restored from a backup of {rfc3339(epoch.taken_at)}; it may have been sent since"
    count, after = 0, ""
    while found := await store.open_jobs(["created", "submitting"], after=after):
        for job in found:
            worker.post(job.run, t.SubmitDoubted, job=job.id, reason=reason, before=epoch.restored_at)
        count, after = count + len(found), found[-1].id
        await worker.settled()
    return count


async def _look_soon(store: Store, epoch: Epoch) -> None:
    """Have every task looked at now: its callback may have come and be lost."""
    after = ""
    while found := await store.open_jobs(["waiting"], after=after):
        for job in found:
            if job.wake_at is not None:
                await store.postpone(job.id, min(job.wake_at, epoch.restored_at))
        after = found[-1].id
