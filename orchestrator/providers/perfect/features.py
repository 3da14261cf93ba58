"""
The table of Perfect's twelve features: what each takes, and where its calls go.

The provider's page prints no addresses but `file/hair-style` and
`task/hair-style`. All other slugs are deduced from public clients of the same
API, so every path made from them here is a default that `paths` in the
connection's settings overrides.

Source: Perfect AI API (2.0), page last modified 2025-01-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from orchestrator.providers.base import Accepts, Output, Params
from orchestrator.providers.perfect import outputs, params

# "< 10MB" does not say which megabyte; this is below both, and below, not equal.
UPLOAD_BYTES_MAX = 9_999_999

_JPEG = "image/jpeg"
_PNG = "image/png"
_VERSION = "/s2s/v1.0"


def _accepts(long_side_max: int, *media_types: str) -> Accepts:
    return Accepts(media_types=media_types, bytes_max=UPLOAD_BYTES_MAX, long_side_max=long_side_max)


# The formats are those that both the table of formats and the upload's content types name: this
# leaves out heic, tiff and gif.
_FACE = _accepts(1024, _JPEG, _PNG)
_EDITING = _accepts(4096, _JPEG, _PNG)
# What JPEG adds around the edges of a mask would count as object.
_MASK = replace(_accepts(4096, _PNG, _JPEG), grey=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """
    One feature.

    *slug*: its name in the provider's paths.
    *images*: the image parameters, with what each accepts.
    *action*: the parameters that go into the task's action.
    """

    name: str
    summary: str
    slug: str
    params: type[Params]
    output: type[Output] = outputs.Results
    images: Mapping[str, Accepts] = field(default_factory=dict)
    action: tuple[str, ...] = ()

    @property
    def has_files(self) -> bool:
        """Whether it works on uploaded files."""
        return bool(self.images)

    @property
    def has_styles(self) -> bool:
        """Whether it has styles to choose from, which can be listed."""
        return "style_id" in self.action


FILE_SETS: Mapping[str, str] = MappingProxyType(
    {"image": "src_ids", "reference": "ref_ids", "mask": "mask_ids"}
)
"""The provider's name for the list that each image parameter goes into."""

_STYLE = ("style_group_id", "style_id")


def _hair(name: str, slug: str, summary: str, accepts: Accepts = _FACE) -> Feature:
    return Feature(
        name=name,
        slug=slug,
        summary=summary,
        params=params.StyledPhoto,
        images={"image": accepts},
        action=_STYLE,
    )


_TABLE = (
    _hair("hair_style", "hair-style", "Try a hairstyle on a photo.", _accepts(1024, _JPEG)),
    # Wig and aging are missing in the provider's table of dimensions; they are treated as their likes.
    _hair("wig", "wig", "Try a wig on a photo."),
    _hair("hair_ext", "hair-ext", "Lengthen the hair in a photo."),
    _hair("hair_bang", "hair-bang", "Add bangs to the hair in a photo."),
    _hair("hair_vol", "hair-vol", "Add volume to the hair in a photo."),
    Feature(
        name="aging",
        slug="aging",
        summary="Show a face at other ages.",
        params=params.Aging,
        output=outputs.AgingResults,
        images={"image": _FACE},
    ),
    Feature(
        name="makeup_transfer",
        slug="mu-trans-rec",
        summary="Transfer the make-up of one photo to the face in another.",
        params=params.MakeupTransfer,
        images={"image": _FACE, "reference": _FACE},
    ),
    Feature(
        name="object_removal",
        slug="obj-removal",
        summary="Remove what a mask marks from a photo.",
        params=params.ObjectRemoval,
        images={"image": _EDITING, "mask": _MASK},
    ),
    Feature(
        name="colorize",
        slug="colorize",
        summary="Colour a black-and-white photo.",
        params=params.Colorize,
        images={"image": _EDITING},
    ),
    Feature(
        name="background_removal",
        slug="sod",
        summary="Cut the subject of a photo out.",
        params=params.BackgroundRemoval,
        images={"image": _EDITING},
    ),
    Feature(
        name="enhance",
        slug="enhance",
        summary="Sharpen a photo and make it 1, 2 or 4 times as large.",
        params=params.Enhance,
        images={"image": _EDITING},
        action=("scale",),
    ),
    Feature(
        name="image_generator",
        slug="text-to-image",
        summary="Make a picture from a text, in a style.",
        params=params.ImageGenerator,
        action=("prompt", *_STYLE),
    ),
)

FEATURES: Mapping[str, Feature] = MappingProxyType({feature.name: feature for feature in _TABLE})
"""All features, by our names, which are also the names of their operations."""


def default_paths() -> dict[str, str]:
    """Return every path by what it is for (`auth`, `hair_style.file`, …), below the base URL."""
    paths = {"auth": f"{_VERSION}/client/auth"}
    for name, feature in FEATURES.items():
        if feature.has_files:
            paths[f"{name}.file"] = f"{_VERSION}/file/{feature.slug}"
        if feature.has_styles:
            paths[f"{name}.style_groups"] = f"{_VERSION}/task/style-group/{feature.slug}"
            paths[f"{name}.styles"] = f"{_VERSION}/task/style/{feature.slug}"
        paths[f"{name}.run"] = paths[f"{name}.check"] = f"{_VERSION}/task/{feature.slug}"
    return paths
