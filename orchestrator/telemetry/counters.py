"""How often something happened since the process began; read by whoever shows it."""

from collections import Counter
from collections.abc import Mapping


class Counters:
    """Counts by name, names as in the log."""

    def __init__(self, *names: str) -> None:
        """*names* are shown from the beginning, with 0."""
        self._counts = Counter(dict.fromkeys(names, 0))

    def add(self, name: str, by: int = 1) -> None:
        """*name* happened, *by* times."""
        self._counts[name] += by

    def all(self) -> Mapping[str, int]:
        """Return every count."""
        return dict(self._counts)
