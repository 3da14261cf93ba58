"""Pictures made to fit what a provider takes: format, long side, file size. Pure, and slow: for threads."""

from io import BytesIO
from math import sqrt

from PIL import Image, ImageOps

from orchestrator.artifacts.sniff import FORMATS, PIXELS_MAX, Nature
from orchestrator.providers.base import Accepts

QUALITY = 95

_ATTEMPTS_MAX = 20
_WITH_ALPHA = frozenset({"image/png", "image/webp", "image/tiff", "image/avif"})
_OPTIONS: dict[str, dict[str, int]] = {
    "image/jpeg": {"quality": QUALITY},
    "image/webp": {"quality": QUALITY},
    "image/avif": {"quality": QUALITY},
}


class Unfit(Exception):
    """The picture cannot be made to fit; the message says why, to the person who chose it."""


def fits(nature: Nature, size: int, accepts: Accepts) -> bool:
    """Return whether *size* bytes of *nature* may be sent as they are."""
    if nature.media_type not in accepts.media_types or accepts.invert:
        return False
    if accepts.grey and not nature.grey:
        return False
    if nature.media_type in FORMATS and nature.width is None:
        # It says that it is a picture, and cannot be read.
        return False
    if accepts.bytes_max is not None and size > accepts.bytes_max:
        return False
    return (
        accepts.long_side_max is None or max(nature.width or 0, nature.height or 0) <= accepts.long_side_max
    )


def fit(data: bytes, nature: Nature, accepts: Accepts) -> tuple[bytes, str]:
    """
    Return the picture in a form that *accepts* takes, and its media type.

    Its own format is kept where it is taken, else the first is used. Alpha is laid
    on white only when the format has none. Too many pixels, or bytes, are made fewer
    by scaling down, never by lowering the quality.
    Errors:  Unfit.
    """
    picture = _load(data, nature)
    if accepts.invert:
        picture = ImageOps.invert(_opaque(picture))
    if accepts.long_side_max is not None and max(picture.size) > accepts.long_side_max:
        picture = _scaled(picture, accepts.long_side_max / max(picture.size))
    if accepts.grey:
        picture = _grey(picture)
    targets = _targets(picture, nature, accepts)
    for _ in range(_ATTEMPTS_MAX):
        for target in targets:
            encoded = _encode(picture, target)
            if accepts.bytes_max is None or len(encoded) <= accepts.bytes_max:
                return encoded, target
        assert accepts.bytes_max is not None, "without a limit the first encoding fits"
        if picture.size == (1, 1):
            break
        # The size of a picture follows its area, roughly; a little less saves another round.
        picture = _scaled(picture, min(0.9, 0.95 * sqrt(accepts.bytes_max / len(encoded))))
    raise Unfit(f"the image cannot be made small enough for the {accepts.bytes_max} bytes that are taken")


def _load(data: bytes, nature: Nature) -> Image.Image:
    if (picture_format := FORMATS.get(nature.media_type)) is None:
        raise Unfit(f"the bytes are {nature.media_type}, not an image that can be converted")
    try:
        with Image.open(BytesIO(data), formats=(picture_format,)) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise Unfit(f"the image has more than {PIXELS_MAX} pixels")
            return _plain(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(f"the image has more than {PIXELS_MAX} pixels") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise Unfit(f"the {nature.media_type} cannot be read: it is incomplete or broken") from error


def _plain(picture: Image.Image) -> Image.Image:
    """Return *picture* as 8-bit RGB, or RGBA where something of it is transparent."""
    profile = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA") else None
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda level: level / 256, "L")
    if picture.has_transparency_data:
        plain = picture.convert("RGBA")
        if plain.getchannel("A").getextrema() == (255, 255):
            plain = plain.convert("RGB")
    else:
        plain = picture.convert("RGB")
    plain.info = {"icc_profile": profile} if profile else {}
    return plain


def _targets(picture: Image.Image, nature: Nature, accepts: Accepts) -> list[str]:
    """The formats to try, in order: a photograph that is too large as PNG may well fit as JPEG."""
    known = [media_type for media_type in accepts.media_types if media_type in FORMATS]
    if not known:
        raise Unfit(f"images cannot be converted to {' or '.join(accepts.media_types)}")
    # What is made grey may be a mask, of which the first that is taken keeps the edges.
    keeps = nature.media_type in known and (nature.grey or not accepts.grey)
    first = nature.media_type if keeps else known[0]
    if first != "image/jpeg" and "image/jpeg" in known and picture.mode in ("RGB", "L"):
        return [first, "image/jpeg"]
    return [first]


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = tuple(max(1, int(side * factor)) for side in picture.size)
    scaled = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    scaled.info = picture.info
    return scaled


def _opaque(picture: Image.Image) -> Image.Image:
    """Return *picture* laid on white, where something of it is transparent."""
    if picture.mode != "RGBA":
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    white.info = picture.info
    return white


def _grey(picture: Image.Image) -> Image.Image:
    grey = _opaque(picture).convert("L")
    # A colour profile of three channels does not suit one.
    grey.info = {}
    return grey


def _encode(picture: Image.Image, media_type: str) -> bytes:
    if media_type not in _WITH_ALPHA:
        picture = _opaque(picture)
    buffer = BytesIO()
    options = _OPTIONS.get(media_type, {})
    picture.save(buffer, FORMATS[media_type], icc_profile=picture.info.get("icc_profile"), **options)
    return buffer.getvalue()
