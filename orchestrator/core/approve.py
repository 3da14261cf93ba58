"""`core/approve`: ask a person, who may also choose among pictures or texts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from orchestrator.errors import InvalidValue
from orchestrator.providers.base import Output, Params


class Approve(Params):
    """The question, what there is to choose from, and what becomes of it when nobody answers in time."""

    message: str = Field(min_length=1, description="What the person is asked.")
    choices: list[Any] | None = Field(
        default=None, description="What there is to choose from: artifacts or texts. Without it: yes or no."
    )
    pick: int = Field(default=1, ge=1, description="How many of the choices may be chosen at most.")
    default: Literal["approve", "reject", "fail"] = Field(
        default="fail", description="What the step's `timeout` decides when nobody has answered by then."
    )

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        choices, pick = given.get("choices"), given.get("pick")
        if isinstance(choices, list) and not choices:
            yield "choices", "there is nothing to choose from; leave 'choices' out for a plain yes or no"
        elif isinstance(choices, list) and isinstance(pick, int) and pick > len(choices):
            yield "pick", f"{pick} of {len(choices)} choices cannot be chosen"

    @classmethod
    def needs(cls, given: Mapping[str, Any], there: Any) -> Iterator[tuple[str, str]]:
        if "pick" in given and "choices" not in there:
            yield "choices", "'pick' says how many of 'choices' may be chosen, and there are none"

    def picked(self, chosen: Sequence[int]) -> list[Any]:
        """
        Return the choices at the positions *chosen*, counted from 0, in that order.

        Errors:  InvalidValue when they cannot be chosen.
        """
        choices = self.choices or []
        if not choices and chosen:
            raise InvalidValue("there is nothing to choose from: this asks for yes or no alone")
        if choices and not 1 <= len(chosen) <= self.pick:
            wanted = "1" if self.pick == 1 else f"1 to {self.pick}"
            raise InvalidValue(f"choose {wanted} of the {len(choices)} choices, not {len(chosen)}")
        if len(set(chosen)) < len(chosen) or not all(0 <= n < len(choices) for n in chosen):
            raise InvalidValue(f"choices are numbers from 0 to {len(choices) - 1}, each at most once")
        return [choices[n] for n in chosen]


class Approved(Output):
    """What the person decided."""

    approved: bool
    chosen: list[Any] = Field(description="The chosen of `choices`; artifacts are the step's artifacts too.")
    comment: str | None
    by: str | None = Field(description="Who decided; null where nobody had to say who they are.")
