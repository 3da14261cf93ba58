"""The twelve features: what each accepts, what it gives and how it may fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ENGINE_ERRORS: Final = (
    "exceed_max_filesize",
    "invalid_parameter",
    "error_download_image",
    "error_download_mask",
    "error_decode_image",
    "error_decode_mask",
    "error_nsfw_content_detected",
    "error_no_face",
    "error_pose",
    "error_face_parsing",
    "error_inference",
    "exceed_nsfw_retry_limits",
    "error_upload",
    "unknown_internal_error",
)
"""The fourteen codes of the editing and generating features."""

ALL_ERRORS: Final = (*ENGINE_ERRORS, "error_multiple_people", "error_no_shoulder", "error_large_face_angle")
"""The seventeen codes of the general list, for the features that look at a person."""

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
PRICE: Final = 1
"""Credits for a success; the document names no price."""

CONTENT_TYPES: Final = ("image/jpg", "image/jpeg", "image/png")
_STYLE: Final = ("style_group_id", "style_ids")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """
    One feature.

    Shape:   *sets* are the members of `file_sets`, each of exactly one file; *params* those of an
             action; *output_ext* begins with what is made when none is asked for; *max_side* is the
             longest side in pixels, None where the document has no row; *formats* are Pillow's names.
    """

    name: str
    slug: str
    params: tuple[str, ...] = ()
    sets: tuple[str, ...] = ("src_ids",)
    output_ext: tuple[str, ...] = ("jpg",)
    content_types: tuple[str, ...] = CONTENT_TYPES
    formats: tuple[str, ...] = ("JPEG", "PNG")
    max_side: int | None = None
    errors: tuple[str, ...] = ALL_ERRORS
    marks_all_required: bool = True

    @property
    def has_styles(self) -> bool:
        return "style_ids" in self.params

    @property
    def takes_files(self) -> bool:
        return bool(self.sets)


_ALL: Final = (
    Feature(name="hair_style", slug="hair-style", params=_STYLE, max_side=1024, formats=("JPEG",)),
    Feature(name="wig", slug="wig", params=_STYLE),
    Feature(name="hair_ext", slug="hair-ext", params=_STYLE, max_side=1024, marks_all_required=False),
    Feature(name="hair_bang", slug="hair-bang", params=_STYLE, max_side=1024, marks_all_required=False),
    Feature(name="hair_vol", slug="hair-vol", params=_STYLE, max_side=1024, marks_all_required=False),
    Feature(name="aging", slug="aging"),
    Feature(
        name="makeup_transfer",
        slug="mu-trans-rec",
        sets=("src_ids", "ref_ids"),
        content_types=(*CONTENT_TYPES, "image/tiff", "image/gif"),
        formats=("JPEG", "PNG", "TIFF", "GIF"),
        max_side=1024,
    ),
    Feature(
        name="object_removal",
        slug="obj-removal",
        sets=("src_ids", "mask_ids"),
        output_ext=("jpg", "webp"),
        max_side=4096,
        errors=ENGINE_ERRORS,
    ),
    Feature(
        name="colorize", slug="colorize", output_ext=("jpg", "webp"), max_side=4096, errors=ENGINE_ERRORS
    ),
    Feature(
        name="background_removal",
        slug="sod",
        output_ext=("png", "webp"),
        max_side=4096,
        errors=ENGINE_ERRORS,
    ),
    Feature(
        name="enhance",
        slug="enhance",
        params=("scale",),
        output_ext=("jpg", "webp"),
        max_side=4096,
        errors=ENGINE_ERRORS,
    ),
    Feature(
        name="image_generator",
        slug="text-to-image",
        params=("prompt", *_STYLE),
        sets=(),
        max_side=1024,
        errors=ENGINE_ERRORS,
    ),
)

FEATURES: Final[Mapping[str, Feature]] = MappingProxyType({feature.name: feature for feature in _ALL})
"""Every feature by its name."""
