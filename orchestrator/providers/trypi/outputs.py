"""What Trypi's objects hold, for workflows that refer to fields. Only what is always there is required."""

from typing import Any

from orchestrator.providers.base import Output


class GeneratedAvatar(Output):
    """The image of a completed job; `job_id` is what `save_avatar` takes."""

    job_id: str
    image_url: str


class Avatar(Output):
    """A saved avatar; *created_at* in seconds since the epoch, or as RFC 3339."""

    id: str
    image_url: str | None = None
    label: str | None = None
    job_id: str | None = None
    created_at: float | str | None = None


class AvatarPage(Output):
    """A page of saved avatars; `next` is the `offset` of the page after it, if there may be one."""

    items: list[Avatar]
    next: int | None = None


class Job(Output):
    """A job; `avatar.image_url` is there once it is completed."""

    status: str | None = None
    avatar: dict[str, Any] | None = None
