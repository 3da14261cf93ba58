"""
How a submit whose answer was lost is found again: by the mark that its metadata carries.

Pizi searches metadata, but says neither how soon nor how; the tasks of the time of the submit,
each of which shows its metadata, are looked at where the search brings nothing.
"""

from collections.abc import Iterator
from typing import Any

from orchestrator import ids
from orchestrator.providers.base import (
    Exchange,
    Found,
    LookUpOutcome,
    Request,
    Retry,
    Task,
    Unauthorized,
)
from orchestrator.providers.identifiers import at, is_uuid
from orchestrator.providers.pizi import answers
from orchestrator.providers.pizi.exchanges import TASKS, Noun
from orchestrator.providers.pizi.params import MARK
from orchestrator.providers.replies import object_of, seconds_of, text_of

PAGE_SIZE = 50
"""Items per page; also the number Pizi gives by default for models."""
PAGES_MAX = 10
"""The search reads no further. Pizi searches by our mark, so its first page should do."""
TASKS_MAX = 10
"""So many tasks are looked at, those first that were made closest to the submit."""
CLOCK_SKEW_S = 120.0
"""How much earlier than the job, by Pizi's clock, its task may seem to have been made."""


def look_up(noun: Noun, task: Task) -> Exchange[LookUpOutcome]:
    """Make the exchange that searches what an uncertain submit made. Nothing found proves nothing."""
    found = yield from _searched(noun, task)
    return found if found is not None else (yield from _among_tasks(noun, task))


def _searched(noun: Noun, task: Task) -> Exchange[Found | Retry | Unauthorized | None]:
    """Search by our mark. Pizi's filter is a full-text search, so the mark is compared here."""
    for page in range(1, PAGES_MAX + 1):
        query: dict[str, str | int] = {"filter": f"{MARK}:{task.job}", "page": page, "limit": PAGE_SIZE}
        reply = yield Request(method="GET", path=noun.path, query=query)
        items = answers.read_list(reply)
        if not isinstance(items, list):
            return answers.STATUSES.look_again(reply)
        if found := answers.marked(items, task.job):
            return Found(resource_id=found)
        if len(items) < PAGE_SIZE:
            return None
    return None


def _among_tasks(noun: Noun, task: Task) -> Exchange[Found | None]:
    """Look at the tasks that may be the one: their list shows no metadata."""
    items = answers.read_list((yield Request(method="GET", path=TASKS)))
    made_at = ids.made_at(task.job)
    if not isinstance(items, list) or made_at is None:
        return None
    near = sorted(_since(items, noun, made_at / 1_000_000))
    for _, uuid in near[:TASKS_MAX]:
        state = answers.read_state((yield Request(method="GET", path=at(TASKS, uuid))))
        if state is not None and state.mark == task.job:
            return Found(task_id=uuid)
    return None


def _since(items: list[Any], noun: Noun, made_s: float) -> Iterator[tuple[float, str]]:
    """Yield (how far from the submit, id) of every task that may be the one."""
    for item in items:
        fields = object_of(item)
        uuid, created_s = fields.get("uuid"), seconds_of(fields.get("createdAt"))
        type_ = (text_of(fields.get("type")) or noun.type).casefold()
        if (
            is_uuid(uuid)
            and type_ == noun.type
            and created_s is not None
            and created_s >= made_s - CLOCK_SKEW_S
        ):
            yield abs(created_s - made_s), str(uuid)
