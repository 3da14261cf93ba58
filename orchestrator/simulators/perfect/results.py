"""What a task makes: its result files, and what is wrong with a picture that cannot be worked on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from orchestrator.simulators import pictures
from orchestrator.simulators.perfect.features import MAX_FILE_BYTES
from orchestrator.simulators.perfect.orders import Order
from orchestrator.simulators.perfect.styles import Style

Inputs = Mapping[str, Callable[[], bytes]]
"""What gives the bytes of the input files, by member of `file_sets`."""

CONTENT_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

_AGES: Final = (12, 20, 30, 40, 50, 60, 70, 80)
_MAX_ENLARGED: Final = 8192
"""Pixels on the long side; four times the largest input would be a picture of 268 megapixels."""

_LOOKS: Final = (
    ("Lipstick", "Velvet Matte", "#B3364A"),
    ("Eye shadow", "Dusk Palette", "#7A5C74"),
    ("Blush", "Soft Bloom", "#E08E86"),
)


@dataclass(frozen=True, slots=True)
class Product:
    """One file a task makes. *extra* are the members its entry has beside `dst_id` and `url`."""

    make: Callable[[], bytes]
    extra: Mapping[str, int]


def fault_in(order: Order, contents: Mapping[str, bytes]) -> str | None:
    """Return the engine's error for pictures that cannot be worked on, None for good ones."""
    sizes: dict[str, tuple[int, int]] = {}
    for name, content in contents.items():
        if len(content) > MAX_FILE_BYTES:
            return "exceed_max_filesize"
        try:
            format, *size = pictures.examined(content)
        except pictures.NotAPicture:
            format = ""
        if format not in order.feature.formats:
            return "error_decode_mask" if name == "mask_ids" else "error_decode_image"
        sizes[name] = (size[0], size[1])
    if "mask_ids" in contents and not pictures.is_grey(contents["mask_ids"]):
        return "invalid_parameter"
    return "invalid_parameter" if _wrong_size(order, sizes) else None


def _wrong_size(order: Order, sizes: Mapping[str, tuple[int, int]]) -> bool:
    most = order.feature.max_side
    if most is not None and any(max(size) > most for size in sizes.values()):
        return True
    if any(max(size) * order.scale > _MAX_ENLARGED for size in sizes.values()):
        return True
    return "mask_ids" in sizes and sizes["mask_ids"] != sizes["src_ids"]


def products(order: Order, inputs: Inputs, seed: int) -> list[Product]:
    """Return what a task makes, in the order of its answer; each is drawn only when it is called for."""
    if order.feature.name == "aging":
        return _aging(inputs["src_ids"], seed)
    return [Product(partial(_MAKERS[order.feature.name], order, inputs), {})]


def extras(order: Order, made: Sequence[Product], seed: int) -> dict[str, Any]:
    """Return the members a result has beside `id` and `data`."""
    if order.feature.name == "aging":
        ages = [product.extra["res_age"] for product in made]
        return {
            "custom_info": {
                "age": _estimated(seed),
                "age_idx": next(index for index, age in enumerate(ages) if age not in _AGES),
                "age_min": ages[0],
                "age_max": ages[-1],
                "num_of_photos": len(ages),
            }
        }
    if order.feature.name == "makeup_transfer":
        found = [{"category": kind, "name": name, "color": colour} for kind, name, colour in _LOOKS]
        return {"recommendation": {"products": found}}
    return {}


def _estimated(seed: int) -> int:
    return 24 + seed % 24


def _aging(source: Callable[[], bytes], seed: int) -> list[Product]:
    """Return the upload among its other ages, ascending; its own `res_age` is not quite its estimated age."""
    own = _estimated(seed) + 1
    own += own in _AGES
    made = [Product(partial(_aged, source, age), {"res_age": age}) for age in _AGES]
    made.append(Product(partial(_unchanged, source), {"res_age": own}))
    return sorted(made, key=lambda product: product.extra["res_age"])


def _aged(source: Callable[[], bytes], age: int) -> bytes:
    return pictures.aged(source(), age)


def _unchanged(source: Callable[[], bytes]) -> bytes:
    return pictures.converted(source(), format="jpg")


def _styled(order: Order) -> Style:
    assert order.style is not None, "a feature with styles has one in every order"
    return order.style


def _hair(order: Order, inputs: Inputs) -> bytes:
    return pictures.hair(inputs["src_ids"](), style_seed=_styled(order).seed, format=order.output_ext)


def _wig(order: Order, inputs: Inputs) -> bytes:
    return pictures.wig(inputs["src_ids"](), style_seed=_styled(order).seed, format=order.output_ext)


def _makeup(order: Order, inputs: Inputs) -> bytes:
    return pictures.makeup(inputs["src_ids"](), inputs["ref_ids"](), format=order.output_ext)


def _removal(order: Order, inputs: Inputs) -> bytes:
    return pictures.remove_object(inputs["src_ids"](), inputs["mask_ids"](), format=order.output_ext)


def _colorize(order: Order, inputs: Inputs) -> bytes:
    return pictures.colorized(inputs["src_ids"](), format=order.output_ext)


def _cut_out(order: Order, inputs: Inputs) -> bytes:
    return pictures.cut_out(inputs["src_ids"](), order.output_ext)


def _enhance(order: Order, inputs: Inputs) -> bytes:
    return pictures.enlarge(inputs["src_ids"](), order.scale, format=order.output_ext)


def _generate(order: Order, inputs: Inputs) -> bytes:
    return pictures.from_prompt(order.prompt, _styled(order).seed, format=order.output_ext)


def thumbnail(feature: str, style: Style) -> bytes:
    """Return a small picture of what *style* looks like."""
    if feature == "image_generator":
        return pictures.from_prompt(style.title, style.seed, size=(192, 192))
    face = pictures.portrait(1, size=(192, 256), format="jpg", traits={"gender": "female"})
    draw = pictures.wig if feature == "wig" else pictures.hair
    return draw(face, style_seed=style.seed)


_MAKERS: Final[Mapping[str, Callable[[Order, Inputs], bytes]]] = {
    "hair_style": _hair,
    "wig": _wig,
    "hair_ext": _hair,
    "hair_bang": _hair,
    "hair_vol": _hair,
    "makeup_transfer": _makeup,
    "object_removal": _removal,
    "colorize": _colorize,
    "background_removal": _cut_out,
    "enhance": _enhance,
    "image_generator": _generate,
}
