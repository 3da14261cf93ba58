"""What is known about the bytes of one artifact, as runs and the API show it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """
    One thing we hold.

    Shape:   *digest* is `sha256:` and 64 hexadecimal digits; *size* in bytes; *width* and
             *height* in pixels, None where the bytes are no picture; *name* is a suggestion
             for people; *source_url* is where the bytes came from, where they came from a URL.
    """

    digest: str
    media_type: str
    size: int
    width: int | None = None
    height: int | None = None
    name: str | None = None
    source_url: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the artifact object of the API."""
        return {
            "digest": self.digest,
            "media_type": self.media_type,
            "size": self.size,
            "width": self.width,
            "height": self.height,
            "name": self.name,
            "source_url": self.source_url,
            "href": f"/api/v1/artifacts/{self.digest}",
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Artifact":
        """Return the artifact that `to_json` wrote."""
        return cls(
            digest=data["digest"],
            media_type=data["media_type"],
            size=data["size"],
            width=data.get("width"),
            height=data.get("height"),
            name=data.get("name"),
            source_url=data.get("source_url"),
        )
