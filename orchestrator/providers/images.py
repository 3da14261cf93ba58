"""How an image parameter gets into a request of a provider that takes URLs."""

from collections.abc import Callable

from orchestrator.providers.base import (
    Accepts,
    ArtifactRef,
    Exchange,
    Hole,
    Prepare,
    PreparedBytes,
    PreparedUrl,
)


def sendable(
    image: str | ArtifactRef, accepts: Accepts, hole: Callable[[PreparedBytes], Hole]
) -> Exchange[str | Hole]:
    """Make the exchange that gives *image* as its URL, or as the *hole* for bytes of ours."""
    # A plain URL is not even shown to the runtime: the request is then known without any I/O.
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        return image
    prepared: PreparedUrl | PreparedBytes = yield Prepare(image, accepts)
    return prepared.url if isinstance(prepared, PreparedUrl) else hole(prepared)
