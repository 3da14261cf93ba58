"""
Says which things go wrong, by name and with a probability, always the same for the same seed.

A decision is a hash of seed, fault and what it is about (a task, the third
download of a file), not the next number of a shared stream. So it does not
matter in which order requests arrive: the same task meets the same fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from types import MappingProxyType

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "loss": "a callback is never sent",
        "duplicate": "a callback is sent twice",
        "early": "the task ends, and its callback arrives, before the submit is answered",
        "late": "a callback is sent some seconds after the task ended",
        "reorder": "a callback is held back until the next one has gone out",
        "silent_failure": "a failed task sends no callback",
        "answer_lost": "the connection is cut after the task was accepted",
        "slow_answer": "the answer to an accepted submit takes some seconds",
        "error_before": "a 5xx answer, and nothing was done",
        "error_after": "a 5xx answer, although the task was accepted",
        "rate_limit": "a burst of requests is answered with 429",
        "no_credits": "a submit is refused for want of credits",
        "task_failed": "an accepted task ends as failed",
        "lookup_lag": "a fresh task cannot be looked up for some seconds",
        "slow_download": "the bytes of a result trickle in",
        "truncated_download": "the connection is cut in the middle of a result",
        "expired_link": "a result link is refused; asking for the task again gives a new link",
        "creative": "Pizi: a picture is read back with the shot type `creative`",
        "short_prompts": "Trypi: a prompt over 4,000 characters is refused, although 5,000 are documented",
        "trigger_failed": "Trypi: a 502 answer, and the job is left behind as failed",
        "link_missing": "Trypi: a completed job is shown without the picture's link the first time",
        "wrong_uid": "Pixu: a callback ends with another uid than the answer had",
        "head_probe": "Pixu: the callback address is probed with HEAD before it is called",
    }
)
"""Every fault by its name. A simulator whose provider has no such thing ignores it."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults happen, each with its probability from 0 to 1; the empty one breaks nothing."""

    chances: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, chance in self.chances.items():
            _check(name, chance)

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """
        Return the faults that a text such as `loss=0.1,duplicate=0.1` names; `loss` alone means always.

        Errors:  ValueError with a message for people: unknown or repeated name, no number from 0 to 1.
        """
        chances: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, number = (piece.strip() for piece in part.partition("="))
            if name in chances:
                raise ValueError(f"fault {name!r} is given twice")
            chances[name] = _probability(name, number) if "=" in part else 1.0
        return cls(chances)

    def chance(self, name: str) -> float:
        """Return the probability of *name*, 0 where none was given. Errors: ValueError for no such fault."""
        if name not in MEANINGS:
            raise ValueError(_unknown(name))
        return self.chances.get(name, 0.0)

    def hits(self, name: str, *key: object, seed: int) -> bool:
        """Return whether *name* happens to what *key* names: a task's id, the count of its downloads…"""
        chance = self.chance(name)
        return chance > 0.0 and fraction(seed, name, *key) < chance


def fraction(seed: int, *key: object) -> float:
    """Return a number from 0 (included) to 1 (excluded) that depends on *seed* and *key* alone."""
    return int.from_bytes(digest(seed, *key)[:7], "big") / (1 << 56)


def digest(seed: int, *key: object) -> bytes:
    """Return 32 bytes that depend on *seed* and *key* alone."""
    text = "\x1f".join([str(seed), *map(str, key)])
    return blake2b(text.encode(), digest_size=32).digest()


def _check(name: str, chance: float) -> None:
    if name not in MEANINGS:
        raise ValueError(_unknown(name))
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"fault {name!r} needs a probability from 0 to 1, not {chance:g}")


def _probability(name: str, number: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise ValueError(f"fault {name!r} needs a probability from 0 to 1, not {number!r}") from None


def _unknown(name: str) -> str:
    close = get_close_matches(name, MEANINGS, n=1)
    hint = f": did you mean {close[0]!r}?" if close else "."
    return f"there is no fault {name!r}{hint} The faults are: {', '.join(sorted(MEANINGS))}"
