"""What an organisation has at trypi: jobs and saved avatars, and how each is shown in an answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.simulators import pictures
from orchestrator.simulators.trypi.orders import Order

Status = Literal["queued", "processing", "completed", "failed"]

_GENDERS = {"man": "male", "boy": "male", "woman": "female", "girl": "female", "lady": "female"}


@dataclass(slots=True)
class Job:
    """
    One generation.

    Shape:   *base* is the address of this simulator as the caller knew it; *ended* is set when the job
             is completed or failed; *looks* counts how often it was shown as completed.
    """

    id: str
    order: Order
    base: str
    created_at: float
    updated_at: float
    look: int
    status: Status = "queued"
    error_log: str | None = None
    looks: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def file(self) -> str:
        """The name of its picture."""
        return f"{self.id}.png"

    def moved(self, status: Status, at: float, error_log: str | None = None) -> None:
        """Note a new status."""
        self.status, self.updated_at, self.error_log = status, at, error_log
        if status in ("completed", "failed"):
            self.ended.set()

    def to_json(self, org_id: str) -> dict[str, Any]:
        """Return the job as `data` shows it, without what `expand` adds."""
        return {
            "id": self.id,
            "org_id": org_id,
            "type": "avatar_generation",
            "status": self.status,
            "payload": {"phase": self.status, "input": dict(self.order.echo)},
            # A reference, and no address that anything could be downloaded from.
            "result_url": f"avatars/{self.id}" if self.status == "completed" else None,
            "error_log": self.error_log,
            "created_at": int(self.created_at),
            "updated_at": int(self.updated_at),
        }

    def draw(self) -> bytes:
        """Return the avatar."""
        hints = self.order.hints
        gender = hints.get("gender_expression") or _gender(self.order.prompt)
        traits = {**hints, "gender": gender, "age": hints.get("age_range", "")}
        return pictures.portrait(self.look, size=self.order.size, traits=traits)


@dataclass(frozen=True, slots=True)
class Saved:
    """An avatar that was kept."""

    id: str
    label: str | None
    job: Job
    created_at: float

    def to_json(self, image_url: str) -> dict[str, Any]:
        """Return the avatar object."""
        return {
            "id": self.id,
            "label": self.label,
            "image_url": image_url,
            "job_id": self.job.id,
            "created_at": int(self.created_at),
        }


def _gender(prompt: str) -> str:
    words = prompt.lower().replace(",", " ").split()
    return next((_GENDERS[word] for word in words if word in _GENDERS), "")
