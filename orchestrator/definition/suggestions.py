"""What somebody who misspelt a name probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN_MAX = 12
_LONGEST = 100


def closest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that *given* is most like, or None when none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(given.lower()[:_LONGEST], names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str | None:
    """Return `did you mean 'x'?`, or else what there is, or None when there is nothing."""
    names = list(known)
    meant = closest(given, names)
    if meant is not None:
        return f"did you mean '{meant}'?"
    return f"there are: {listed(names)}" if names else None


def listed(names: Iterable[str]) -> str:
    """Return the names in one line, in their order; only the first of very many."""
    shown = list(names)
    rest = f", … ({len(shown) - _SHOWN_MAX} more)" if len(shown) > _SHOWN_MAX else ""
    return ", ".join(name[:_LONGEST] for name in shown[:_SHOWN_MAX]) + rest


def quoted(text: str) -> str:
    """Return *text* in single quotes on one line, shortened when long."""
    line = " ".join(text.split())
    return f"'{line[:_LONGEST]}…'" if len(line) > _LONGEST else f"'{line}'"
