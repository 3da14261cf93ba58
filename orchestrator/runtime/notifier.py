"""
Tells others how a run ended, as Standard Webhooks: signed, repeated until it is taken, given up after a day.

What is due is a row with a wake-up, like everything else; here it is only sent, and the answer is the
next trigger. The right to send is none: a notice may arrive twice, and says by its id that it does.
A receiver that is slow holds up its own notices alone.
"""

import asyncio
from collections import Counter
from typing import Any

import structlog
from pydantic import SecretStr
from yarl import URL

from orchestrator import signatures
from orchestrator.clock import SECOND, Clock
from orchestrator.definition.workflow import CORE
from orchestrator.engine import triggers as t
from orchestrator.engine.state import Notice, RunState
from orchestrator.errors import StoreUnavailable
from orchestrator.operations.notices import message
from orchestrator.operations.plans import Plans
from orchestrator.operations.relatives import relatives
from orchestrator.providers.base import Reply
from orchestrator.providers.replies import retry_after_s
from orchestrator.runtime.guard import RefusedUrl, read_url
from orchestrator.runtime.transport import Transport, TransportError
from orchestrator.runtime.worker import Store, Worker

log = structlog.get_logger()

AT_ONCE = 50
PER_HOST = 4
"""How many are sent at a time: altogether, and to one host."""

TIMEOUT_S = 10.0

CLAIMED = 15 * SECOND
"""A run whose notices are being sent is not looked at again before this; should the process end, then."""

CROWDED = 3 * SECOND
"""One whose host is told of so many others at the moment waits for so long."""

BROKEN = 3600 * SECOND
"""One that cannot even be tried, because its connections are gone, say, is looked at again after so long."""

_ANSWER_BYTES = 1024


class Notifier:
    """Sends what is due; `wake` returns at once."""

    def __init__(
        self,
        worker: Worker,
        store: Store,
        plans: Plans,
        transport: Transport,
        secrets: dict[str, SecretStr],
        clock: Clock,
    ) -> None:
        self._worker, self._store, self._plans = worker, store, plans
        self._transport, self._secrets, self._clock = transport, secrets, clock
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._hosts: Counter[str] = Counter()

    def wake(self, run: str) -> None:
        """Send the notices of *run* that are due, as far as that is not being done already."""
        if run not in self._busy and len(self._busy) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._guarded(run))
            self._busy[run] = task
            task.add_done_callback(lambda _: self._busy.pop(run))

    async def stop(self) -> None:
        """Leave what is being sent to its row."""
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, run: str) -> None:
        try:
            await self._work(run)
        except StoreUnavailable as trouble:
            log.warning("store.unavailable", reason=str(trouble))
        except Exception:
            log.exception("notification.broke", run_id=run)
            await self._store.postpone(run, self._clock.now() + BROKEN)

    async def _work(self, run: str) -> None:
        now = self._clock.now()
        await self._store.postpone(run, now + CLAIMED)
        state = await self._worker.state(run)
        # What could not be written down afterwards must not be sent, or it would be for ever.
        await self._worker.plan(state)
        due = [one for one in state.notices.values() if one.due_at is not None and one.due_at <= now]
        told = [await self._tell(state, notice) for notice in due if state.has_ended]
        if not all(told):
            await self._store.postpone(run, self._clock.now() + CROWDED)

    async def _tell(self, state: RunState, notice: Notice) -> bool:
        """Send one, unless its host has enough to do."""
        host = URL(notice.url).host or ""
        if self._hosts[host] >= PER_HOST:
            return False
        self._hosts[host] += 1
        try:
            answer = await self._send(state, notice)
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
        after = await self._worker.handle(state.id, t.Told, notice=notice.id, **answer)
        self._note(host, answer, after.notices.get(notice.id))
        return True

    def _note(self, host: str, answer: dict[str, Any], notice: Notice | None) -> None:
        if "error" not in answer:
            log.info("notification.sent", host=host, status=answer["status"])
        elif notice is not None:
            again_s = None if notice.due_at is None else (notice.due_at - self._clock.now()) // SECOND
            log.warning("notification.failed", host=host, reason=answer["error"], retry_in_s=again_s)

    async def _send(self, state: RunState, notice: Notice) -> dict[str, Any]:
        """Return what `Told` holds of the answer."""
        workflow = await self._plans.workflow(state.digest, self._store.definition)
        body = message(state, workflow, await relatives(state, self._store, self._worker))
        try:
            headers = self._signed(notice, body)
            reply = await self._transport.request(
                CORE,
                "POST",
                read_url(notice.url),
                headers=headers,
                body=body,
                timeout_s=TIMEOUT_S,
                exact=True,
                spends=True,
                cut_at=_ANSWER_BYTES,
            )
        except (TransportError, RefusedUrl, ValueError) as error:
            return {"error": str(error)}
        return _read(reply)

    def _signed(self, notice: Notice, body: bytes) -> dict[str, str]:
        """Return the headers. Errors: ValueError where it cannot be signed."""
        secret = self._secrets.get(notice.secret)
        if secret is None:
            raise ValueError(f"there is no secret '{notice.secret}' in [secrets] of the settings")
        now_s = self._clock.now() // SECOND
        proof = signatures.signed_headers(secret.get_secret_value(), notice.id, now_s, body)
        return {"Content-Type": "application/json", "User-Agent": "callback-orchestrator", **proof}


def _read(reply: Reply) -> dict[str, Any]:
    if 200 <= reply.status < 300:
        return {"status": reply.status}
    error = f"it was answered with {reply.status}"
    return {"status": reply.status, "error": error, "retry_after_s": retry_after_s(reply)}
