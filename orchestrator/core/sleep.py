"""`core/sleep`: wait, durably, for a while or until a moment."""

from collections.abc import Iterator, Set

from pydantic import Field, field_validator

from orchestrator.durations import seconds
from orchestrator.providers.base import Output, Params
from orchestrator.times import SECOND, from_rfc3339


class Sleep(Params):
    """How long to wait: one of the two."""

    duration: str | None = Field(default=None, description="For how long, such as 90s, 2h or 1d.")
    until: str | None = Field(
        default=None, description="Until when: an RFC 3339 time with its zone, such as 2026-12-24T18:00:00Z."
    )

    @field_validator("duration")
    @classmethod
    def _takes_time(cls, text: str | None) -> str | None:
        if text is not None:
            seconds(text)
        return text

    @field_validator("until")
    @classmethod
    def _is_a_moment(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                from_rfc3339(text)
            except ValueError:
                raise ValueError("must be a time with its zone, such as 2026-12-24T18:00:00Z") from None
        return text

    @classmethod
    def presence(cls, there: Set[str], perhaps: Set[str]) -> Iterator[tuple[str, str]]:
        if {"duration", "until"} <= there:
            yield "until", "give either 'duration' or 'until', not both"
        elif not (there | perhaps):
            yield "duration", "give 'duration' (such as 2h) or 'until' (a time)"

    def due_at(self, created_at: int) -> int:
        """Return when the wait is over, microseconds; a moment that has passed already is over at once."""
        if self.until is not None:
            return from_rfc3339(self.until)
        return created_at + int(seconds(self.duration or "0s") * SECOND)


class Slept(Output):
    """Nothing: the time has passed."""
