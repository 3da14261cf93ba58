"""What trypi accepts: the fields of generate and save, the sizes they may have, and the queries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from orchestrator.simulators import bodies
from orchestrator.simulators.bodies import Fields, Wrong

PROMPT_MOST: Final = 5_000
SHORT_PROMPT_MOST: Final = 4_000
REFERENCES_MOST: Final = 6
REFERENCE_BYTES_MOST: Final = 15_000_000
WAIT_MOST_S: Final = 30
DEFAULT_WAIT_S: Final = 20

RESOLUTIONS: Final[Mapping[str, int]] = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Name → pixels on the long side."""

_EXPANDABLE: Final = frozenset({"brand", "avatar", "ad", "diagnostics"})
_STRETCHED_MOST: Final = 4
_AUTO_RATIO: Final = (3, 4)
_RATIO: Final = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")
_DATA_URL: Final = re.compile(r"data:image/(jpeg|jpg|png|webp);base64,", re.IGNORECASE)
_FIELDS: Final = frozenset(
    {"prompt", "hints", "reference_images", "output", "client_reference_id", "metadata"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """
    A valid body of POST /avatars/generate.

    Shape:   *echo* are the fields that come back in the job's payload; *references* is a digest of the
             caller's pictures, empty without any; *size* in pixels.
    """

    prompt: str
    hints: Mapping[str, Any]
    references: str
    size: tuple[int, int]
    client_reference_id: str | None
    echo: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """How a job is asked about: *wait_s* is 0 where the answer shall come at once."""

    wait_s: float
    has_avatar: bool


def read_order(body: object, *, prompt_most: int = PROMPT_MOST) -> Order:
    """Return the order in *body*. Errors: Wrong."""
    fields = Fields(body, _FIELDS)
    prompt = fields.words("prompt", longest=prompt_most)
    return Order(
        prompt=prompt,
        hints=_hints(fields.values.get("hints", {})),
        references=_references(fields),
        size=_size(Fields(fields.values.get("output", {}), _OUTPUT, "output.")),
        client_reference_id=fields.text("client_reference_id", longest=200),
        echo=_echo(fields),
    )


def read_save(body: object) -> tuple[str, str | None]:
    """Return the job's id and the label in the body of POST /avatars/save. Errors: Wrong."""
    fields = Fields(body, {"job_id", "label"})
    label = fields.text("label", longest=200)
    return fields.words("job_id"), label.strip() if label is not None else None


def read_look(query: Mapping[str, str]) -> Look:
    """Return how a job is asked about. Errors: Wrong."""
    waits = query.get("wait_for_completion", "false")
    if waits not in ("true", "false"):
        raise Wrong("wait_for_completion must be true or false")
    seconds = _count(query, "timeout_seconds", DEFAULT_WAIT_S)
    if not 1 <= seconds <= WAIT_MOST_S:
        raise Wrong(f"timeout_seconds must be from 1 to {WAIT_MOST_S}")
    wanted = set(filter(None, query.get("expand", "").split(",")))
    if not wanted <= _EXPANDABLE:
        raise Wrong(f"expand knows {bodies.listed(sorted(_EXPANDABLE))}")
    return Look(seconds if waits == "true" else 0, "avatar" in wanted)


def read_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return limit and offset. Errors: Wrong."""
    limit = _count(query, "limit", 20)
    if limit == 0:
        raise Wrong("limit must be from 1")
    return limit, _count(query, "offset", 0)


_OUTPUT: Final = frozenset({"aspect_ratio", "resolution", "thinking_intensity"})


def _hints(value: object) -> Mapping[str, Any]:
    hints = Fields(value, None, "hints.").values
    for name, hint in hints.items():
        parts = hint if isinstance(hint, list) else [hint]
        if not all(isinstance(part, str | int | float) for part in parts):
            raise Wrong(f"hints.{name} must be flat: a string, a number, true, false or an array of them")
    return hints


def _references(fields: Fields) -> str:
    if "reference_images" not in fields.values:
        return ""
    images = fields.values["reference_images"]
    if not isinstance(images, list) or not 1 <= len(images) <= REFERENCES_MOST:
        raise Wrong(f"reference_images must be an array of 1 to {REFERENCES_MOST} images")
    seen = blake2b(digest_size=16)
    for index, image in enumerate(images):
        seen.update(_reference(image, f"reference_images[{index}]"))
    return seen.hexdigest()


def _reference(image: object, at: str) -> bytes:
    if not isinstance(image, str):
        raise Wrong(f"{at} must be a data URL or base64")
    head = _DATA_URL.match(image)
    if head is None and image[:5].lower() in ("data:", "http:", "https"):
        raise Wrong(f"{at} must be a data URL of a JPEG, PNG or WebP (data:image/png;base64,…) or base64")
    content = bodies.picture(image[head.end() :] if head else image, at)
    if len(content) > REFERENCE_BYTES_MOST:
        raise Wrong(f"{at} is larger than 15 MB")
    return content


def _size(output: Fields) -> tuple[int, int]:
    output.choice("thinking_intensity", ("minimal", "high"))
    side = RESOLUTIONS[output.choice("resolution", RESOLUTIONS) or "1K"]
    across, down = _ratio(output.text("aspect_ratio") or "auto")
    longer = max(across, down)
    return side * across // longer, side * down // longer


def _ratio(text: str) -> tuple[int, int]:
    if text == "auto":
        return _AUTO_RATIO
    found = _RATIO.fullmatch(text)
    if found is None:
        raise Wrong(f"output.aspect_ratio must be auto or like 3:4, not {text!r}")
    across, down = int(found[1]), int(found[2])
    if max(across, down) > _STRETCHED_MOST * min(across, down):
        raise Wrong(f"output.aspect_ratio {text} is too far from a square")
    return across, down


def _echo(fields: Fields) -> dict[str, Any]:
    metadata = Fields(fields.values.get("metadata", {}), None, "metadata.")
    if len(metadata.values) > 16:
        raise Wrong("metadata has more than 16 keys")
    for name in metadata.values:
        metadata.text(name, longest=500)
    # The pictures themselves are not echoed.
    return {name: value for name, value in fields.values.items() if name != "reference_images"}


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Wrong(f"{name} must be a whole number")
    return int(text)
