"""What a place of artifacts has to offer, so that those which nothing refers to can be removed."""

from collections.abc import Iterator
from typing import Protocol


class Shelf(Protocol):
    """
    Where artifacts are kept. Times are epoch seconds.

    Whoever begins to use an artifact that is there calls `hold` first, and is sure of it from then on.
    Putting bytes that are there already holds them too.
    """

    def hold(self, digest: str) -> bool:
        """Note that *digest* is used as of now; return whether it is there."""
        ...

    def text(self, digest: str) -> bytes:
        """Return the bytes of *digest*, which are JSON; nothing where it is not there."""
        ...

    def stale(self, before: float) -> Iterator[str]:
        """Yield the digests of all that was neither put nor held since *before*."""
        ...

    def discard(self, digest: str, before: float, *, dry: bool = False) -> int:
        """Delete it unless it was put or held since *before*; return its bytes, 0 where it stays."""
        ...
