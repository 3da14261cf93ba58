"""
Who is told of a run's end: each notice until it is delivered, or given up after about a day.

A run that has such notices left has ended for everything else.
"""

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.state import Notice
from orchestrator.times import SECOND

DELAYS_S = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
"""After which attempt the next one follows when; a fifth less or more, so that many do not come at once."""

_GONE = 410
"""By this the receiver says that it will never take any."""


def told(draft: Draft, trigger: t.Told) -> None:
    """Somebody was told, or could not be."""
    notice = draft.state.notices.get(trigger.notice)
    if notice is None or notice.due_at is None:
        return
    attempt, url = notice.attempts + 1, notice.shown_url
    if trigger.error is None and trigger.status is not None:
        return draft.emit(
            e.NotificationSent(at=draft.at, notice=notice.id, url=url, attempt=attempt, status=trigger.status)
        )
    return draft.emit(
        e.NotificationFailed(
            at=draft.at,
            notice=notice.id,
            url=url,
            attempt=attempt,
            status=trigger.status,
            error=trigger.error or "nobody knows why",
            due_at=_next(draft, attempt, trigger),
        )
    )


def _next(draft: Draft, attempt: int, trigger: t.Told) -> int | None:
    if trigger.status == _GONE or attempt > len(DELAYS_S):
        return None
    after_s = DELAYS_S[attempt - 1] * (0.8 + 0.4 * draft.fraction())
    return draft.at + int(max(after_s, trigger.retry_after_s or 0.0) * SECOND)


def tell_again(draft: Draft, trigger: t.TellAgain) -> None:
    """A person wants everybody told once more; the notices keep their ids, by which repetitions are known."""
    if draft.state.has_ended and draft.state.notices:
        draft.emit(e.OperatorRenotified(at=draft.at, why=trigger.comment))


def next_due(notices: dict[str, Notice]) -> int | None:
    """Return when the next one is due, in microseconds; None: there is nobody left to tell."""
    return min((one.due_at for one in notices.values() if one.due_at is not None), default=None)
