"""What is asked of Trypi, and in which order."""

from typing import Any

from orchestrator.providers.base import (
    Accepts,
    CheckOutcome,
    Done,
    Exchange,
    Inline,
    Prepare,
    PreparedBytes,
    Request,
    Submit,
    SubmitOutcome,
    Task,
    Unknown,
)
from orchestrator.providers.identifiers import at, is_uuid
from orchestrator.providers.trypi import answers
from orchestrator.providers.trypi.params import IMAGE_BYTES_MAX, PAGE_SIZE, GenerateAvatar, SaveAvatar

AVATARS = "/avatars"
JOBS = "/jobs"

HELD_S = 30
"""How long a poll is held open, in seconds: what the document shows."""
PAGES_MAX = 10
"""A search among the saved avatars reads no further."""

# URLs are not taken: what is given as one is fetched by us.
_REFERENCE = Accepts(media_types=("image/jpeg", "image/png", "image/webp"), bytes_max=IMAGE_BYTES_MAX)


def generate(params: GenerateAvatar, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """
    Make the exchange that ends with `POST /avatars/generate`.

    The key is the job's id: a resend has it too, and another attempt, another job, has not.
    """
    body = params.model_dump(mode="json", exclude_none=True, exclude={"reference_images"})
    if params.reference_images:
        references: list[Inline] = []
        for image in params.reference_images:
            prepared = yield Prepare(image, _REFERENCE)
            assert isinstance(prepared, PreparedBytes), "an operation that takes no URLs was given one"
            references.append(Inline(prepared, "data_uri"))
        body["reference_images"] = references
    body.setdefault("client_reference_id", submit.job)
    return Request(
        method="POST", path=f"{AVATARS}/generate", headers={"Idempotency-Key": submit.job}, json=body
    )


def check(task: Task) -> Exchange[CheckOutcome]:
    """Make the exchange that asks how *task* stands, and is answered once it has ended, or after a while."""
    if not is_uuid(task.task_id):
        return Unknown(f"{task.task_id or 'nothing'} is no id that Trypi could be asked for")
    task_id = str(task.task_id)
    held: dict[str, str | int] = {"wait_for_completion": "true", "timeout_seconds": HELD_S}
    query = (held if task.patient else {}) | {"expand": "avatar"}
    reply = yield Request(method="GET", path=at(JOBS, task_id), query=query)
    return answers.read_check(task_id, reply)


def save(params: SaveAvatar, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """
    Make the exchange that ends with `POST /avatars/save`.

    Nothing makes a repeated save harmless, so any attempt but the first looks for what an
    earlier one may have saved.
    """
    if submit.attempt > 1 and (earlier := (yield from _saved(params))) is not None:
        return earlier
    body = params.model_dump(mode="json", exclude_none=True)
    return Request(method="POST", path=f"{AVATARS}/save", json=body)


def _saved(params: SaveAvatar) -> Exchange[SubmitOutcome | None]:
    """Search the saved avatars; a search that fails is the outcome, as saving blindly might save twice."""
    for page in range(PAGES_MAX):
        query: dict[str, Any] = {"limit": PAGE_SIZE, "offset": page * PAGE_SIZE}
        reply = yield Request(method="GET", path=AVATARS, query=query)
        found = answers.avatars_of(reply)
        if found is None:
            return answers.STATUSES.at_once(reply, None)
        avatars, more = found
        if (avatar := answers.saved_as(avatars, params)) is not None:
            return Done(output=avatar)
        if more is False or len(avatars) < PAGE_SIZE:
            return None
    return None
