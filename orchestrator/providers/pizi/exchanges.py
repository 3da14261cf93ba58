"""
What is asked of Pizi, and in which order.

The id of a task is not the id of what it makes, although they are often equal:
the task is asked first and names its result, which is then asked for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepts,
    ArtifactRef,
    CallbackUrl,
    CheckOutcome,
    Done,
    Exchange,
    Failed,
    Hole,
    Inline,
    Link,
    Pending,
    Request,
    Retry,
    Submit,
    SubmitOutcome,
    Task,
    Unknown,
)
from orchestrator.providers.identifiers import at, is_uuid
from orchestrator.providers.images import sendable
from orchestrator.providers.pizi import answers
from orchestrator.providers.pizi.answers import State
from orchestrator.providers.pizi.params import MARK, CreateModel, CreatePictures, Person
from orchestrator.providers.replies import retry_after_s, text_of


@dataclass(frozen=True, slots=True)
class Noun:
    """
    One of the two things that tasks make, by its many names at Pizi.

    *path* of its endpoints, *type* of its tasks, *result*: the field with the URLs.
    """

    path: str
    type: str
    result: str


TASKS = "/tasks"
MODEL = Noun("/models", "model", "mediaUrl")
PICTURES = Noun("/pictures", "photo", "result")


# --- submits ---------------------------------------------------------------------------------


def create_model(accepts: Accepts, params: CreateModel, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with `POST /models`."""
    body = _given(params, "gender", "attributes", "name", "priority")
    if params.referenceImages:
        body["referenceImages"] = yield from _inline(params.referenceImages, accepts)
    return Request(method="POST", path=MODEL.path, json=body | _ours(params.metadata, submit))


def create_pictures(
    accepts: Accepts, params: CreatePictures, submit: Submit
) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with `POST /pictures`."""
    body = _given(params, "shotType", "variants", "output")
    if isinstance(params.model, Person):
        body["model"] = _given(params.model, "gender", "attributes")
        if params.model.referenceImages:
            body["model"]["referenceImages"] = yield from _inline(params.model.referenceImages, accepts)
    elif params.model:
        body["model"] = _given(params.model, "uuid")
    if params.modelImageUrl is not None:
        body["modelImageUrl"] = yield from sendable(params.modelImageUrl, accepts, Link)
    body["product"] = _given(params.product, "info")
    body["product"]["images"] = yield from _inline(params.product.images, accepts)
    return Request(method="POST", path=PICTURES.path, json=body | _ours(params.metadata, submit))


def _given(params: BaseModel, *names: str) -> dict[str, Any]:
    return params.model_dump(mode="json", include=set(names), exclude_none=True)


def _ours(metadata: Mapping[str, Any] | None, submit: Submit) -> dict[str, Any]:
    return {"metadata": {**(metadata or {}), MARK: submit.job}, "callbackUrl": CallbackUrl()}


def _inline(images: list[str | ArtifactRef], accepts: Accepts) -> Exchange[list[str | Hole]]:
    sent: list[str | Hole] = []
    for image in images:
        inline = yield from sendable(image, accepts, lambda prepared: Inline(prepared, "data_uri"))
        sent.append(inline)
    return sent


# --- checks ----------------------------------------------------------------------------------


def check(noun: Noun, task: Task) -> Exchange[CheckOutcome]:
    """Make the exchange that asks how *task* stands: the task, then what it made."""
    if task.resource_id is not None:
        return (yield from _resource(noun, task, task.resource_id))
    if task.task_id is None or not is_uuid(task.task_id):
        return Unknown(f"{task.task_id or 'nothing'} is no id that Pizi could be asked for")
    reply = yield Request(method="GET", path=at(TASKS, task.task_id))
    state = answers.read_state(reply)
    if state is not None:
        return (yield from _task(noun, task, task.task_id, state))
    if reply.status == 404:
        return (yield from _same_id(noun, task, task.task_id, Unknown("Pizi does not know the task (yet)")))
    return answers.STATUSES.look_again(reply)


def _task(noun: Noun, task: Task, task_id: str, state: State) -> Exchange[CheckOutcome]:
    if state.mark not in (None, task.job):
        return Unknown(f"task {task_id} carries the mark of another job")
    if state.type != noun.type and state.type in (MODEL.type, PICTURES.type):
        return Unknown(f"task {task_id} is of type {state.type}, not {noun.type}")
    if state.status == "failed":
        return _failed(state)
    if state.status != "completed":
        return Pending(state.status or None)
    if made := answers.resource_id(state.fields.get("resourceUrl")):
        return (yield from _resource(noun, task, made))
    return (yield from _same_id(noun, task, task_id, Retry("the completed task does not name its result")))


def _same_id(noun: Noun, task: Task, uuid: str, otherwise: Retry) -> Exchange[CheckOutcome]:
    """Try the id of the task as the id of what it makes; it counts only if it carries our mark."""
    reply = yield Request(method="GET", path=at(noun.path, uuid))
    state = answers.read_state(reply)
    if state is not None and state.mark == task.job:
        return _made(noun, uuid, state)
    if state is not None or reply.status == 404:
        return replace(otherwise, retry_after_s=retry_after_s(reply))
    return answers.STATUSES.look_again(reply)


def _resource(noun: Noun, task: Task, uuid: str) -> Exchange[CheckOutcome]:
    if not is_uuid(uuid):
        return Retry(f"{uuid[:60]} is no id that Pizi could be asked for")
    reply = yield Request(method="GET", path=at(noun.path, uuid))
    state = answers.read_state(reply)
    if state is None:
        return answers.STATUSES.look_again(reply)
    if state.mark not in (None, task.job):
        return Unknown(f"{uuid} carries the mark of another job")
    return _made(noun, uuid, state)


def _made(noun: Noun, uuid: str, state: State) -> CheckOutcome:
    if state.status == "failed":
        return _failed(state)
    if state.status == "deleted":
        return Failed(Failure("result_unavailable", "it was deleted at Pizi", "deleted"))
    if state.status not in ("completed", ""):
        return Pending(state.status, resource_id=uuid)
    files = answers.result_files(state.fields.get(noun.result))
    # Paid for and said to be complete: its addresses may still follow, so it is not given up here.
    return (
        Done(output={"uuid": uuid, **state.fields}, files=files) if files else Retry("no result is named yet")
    )


def _failed(state: State) -> Failed:
    reason = text_of(state.fields.get("message")) or text_of(state.fields.get("error"))
    code = text_of(state.fields.get("code"))
    return Failed(Failure("task_failed", reason or "the task failed; Pizi gives no reason", code))
