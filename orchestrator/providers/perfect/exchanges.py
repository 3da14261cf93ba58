"""What is said to Perfect, in which order. Only the last request of a submit spends, and it is returned."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepts,
    ArtifactRef,
    CheckOutcome,
    Done,
    Exchange,
    Failed,
    FileRef,
    Login,
    Params,
    Prepare,
    PreparedBytes,
    Request,
    Retry,
    SubmitOutcome,
    Task,
)
from orchestrator.providers.perfect import answers, requests
from orchestrator.providers.perfect.features import FILE_SETS, Feature
from orchestrator.providers.perfect.params import ListStyleGroups, ListStyles, UploadFile
from orchestrator.providers.perfect.settings import PerfectSettings

Images = dict[str, PreparedBytes | FileRef]
"""The images of a task by parameter: bytes of ours, or a file that the provider holds."""


def log_in(
    settings: PerfectSettings, now_ms: int, seal: Callable[..., bytes]
) -> Exchange[Login | Failed | Retry]:
    """Seal the client id with the secret key, and get an access token for it."""
    text = requests.id_token_text(settings.client_id.get_secret_value(), now_ms)
    try:
        oaep = {"oaep": True} if settings.rsa_padding == "oaep" else {}
        sealed = seal(settings.client_secret.get_secret_value(), text, **oaep)
    except ValueError:
        # The error's own text is left out, as it may hold what was to be sealed.
        message = "client_secret is not an RSA public key (X.509, base64) that can seal client_id"
        return Failed(Failure("unauthorized", message))
    reply = yield requests.log_in(settings.paths["auth"], sealed)
    return answers.read_login(reply)


def submit(
    feature: Feature, settings: PerfectSettings, params: Params, attempt: int
) -> Exchange[Request | SubmitOutcome]:
    """
    Upload the images, unless the provider holds them, and return the request that starts the task.

    What it holds may be gone by now: after the first *attempt* our own artifact is uploaded, if we have it.
    """
    images = yield from _prepare_all(feature, settings, params, attempt)
    misfit = _misfit(images, params, settings.enhance_long_side_max)
    if misfit is not None:
        return Failed(Failure("invalid_request", misfit))
    file_ids: dict[str, str] = {}
    for name, image in images.items():
        if isinstance(image, FileRef):
            file_ids[name] = image.file_id
            continue
        uploaded = yield from _upload(settings.paths[f"{feature.name}.file"], image)
        if not isinstance(uploaded, str):
            return uploaded
        file_ids[name] = uploaded
    return requests.run(settings.paths[f"{feature.name}.run"], feature, params, file_ids)


def _prepare_all(
    feature: Feature, settings: PerfectSettings, params: Params, attempt: int
) -> Exchange[Images]:
    """Have all images ready before the first is uploaded, so that a misfit costs no request."""
    images: Images = {}
    for name, accepts in feature.images.items():
        image = getattr(params, name)
        if isinstance(image, FileRef) and image.artifact is not None and attempt > 1:
            image = image.artifact
        if isinstance(image, FileRef):
            images[name] = image
            continue
        if name == "mask":
            accepts = replace(_as_large_as(images.get("image"), accepts), invert=settings.invert_masks)
        images[name] = yield from _prepare(image, accepts, params)
    return images


def _prepare(image: str | ArtifactRef, accepts: Accepts, params: Params) -> Exchange[PreparedBytes]:
    prepared = yield Prepare(image, replace(accepts, resize=bool(getattr(params, "resize", True))))
    assert isinstance(prepared, PreparedBytes), "an operation that takes no URLs was given one"
    return prepared


def _as_large_as(image: PreparedBytes | FileRef | None, accepts: Accepts) -> Accepts:
    """Have a mask shrunk with its image, where that had to be."""
    size = _size(image)
    return accepts if size is None else replace(accepts, long_side_max=max(size))


def _misfit(images: Images, params: Params, enhanced_max: int) -> str | None:
    """
    Say what is wrong with the images' sizes, as far as they are known.

    The provider would say so too, or worse, not: these slips may be paid for.
    """
    image, mask = _size(images.get("image")), _size(images.get("mask"))
    if image is not None and mask is not None and mask != image:
        return (
            f"the mask has {mask[0]}×{mask[1]} pixels and the image {image[0]}×{image[1]}: they must be equal"
        )
    scale = getattr(params, "scale", None)
    if image is not None and scale is not None and max(image) * scale > enhanced_max:
        return (
            f"an image of {image[0]}×{image[1]} pixels enlarged {scale} times would be longer than "
            f"{enhanced_max} pixels (enhance_long_side_max of the connection)"
        )
    return None


def _size(image: PreparedBytes | FileRef | None) -> tuple[int, int] | None:
    if not isinstance(image, PreparedBytes) or image.width is None or image.height is None:
        return None
    return image.width, image.height


def _upload(path: str, image: PreparedBytes) -> Exchange[str | answers.Refusal]:
    """Upload *image* and return its file id, which is good for a day."""
    slot = answers.read_slot((yield requests.open_slot(path, image)))
    if not isinstance(slot, answers.Slot):
        return slot
    reply = yield Request(method=slot.method, url=slot.url, headers=slot.headers, content=image)
    return answers.read_upload(reply) or slot.file_id


def check(path: str, task: Task, timeout_s: float) -> Exchange[CheckOutcome]:
    """Ask how *task* stands."""
    if task.task_id is None:
        return Retry("no task id is known yet")
    request = requests.check(path, task.task_id, timeout_s)
    outcome = answers.read_check((yield request))
    if answers.is_lost(outcome):
        # A task may be unknown for a moment after its creation; one more look is cheap, a new task is not.
        outcome = answers.read_check((yield request))
    return answers.retried_with_upload(outcome) if _has_spare(task.params) else outcome


def _has_spare(params: Params) -> bool:
    """Whether an image is a file at the provider of which we hold the bytes as well."""
    images = (getattr(params, name, None) for name in FILE_SETS)
    return any(isinstance(image, FileRef) and image.artifact is not None for image in images)


def upload_file(
    feature: Feature, settings: PerfectSettings, params: UploadFile
) -> Exchange[Request | SubmitOutcome]:
    """Upload a file for later tasks of *feature*."""
    image = yield from _prepare(params.image, feature.images["image"], params)
    uploaded = yield from _upload(settings.paths[f"{feature.name}.file"], image)
    return Done(output={"file_id": uploaded}) if isinstance(uploaded, str) else uploaded


def list_style_groups(
    settings: PerfectSettings, params: ListStyleGroups
) -> Exchange[Request | SubmitOutcome]:
    """Ask for one page of the groups of styles."""
    path = settings.paths[f"{params.feature}.style_groups"]
    reply = yield requests.page(path, page_size=params.page_size, starting_token=params.starting_token)
    return answers.read_page(reply, "groups", "style_groups")


def list_styles(settings: PerfectSettings, params: ListStyles) -> Exchange[Request | SubmitOutcome]:
    """Ask for one page of the styles."""
    reply = yield requests.page(
        settings.paths[f"{params.feature}.styles"],
        page_size=params.page_size,
        starting_token=params.starting_token,
        style_group_id=params.style_group_id,
    )
    return answers.read_page(reply, "styles")
