"""
What Pizi accepts: the fields of its two submits, their values and the rules between them.

Source: Pizi API reference, sections "POST /models", "POST /pictures" and the
ethnicity appendix. Where it leaves something open we are strict, so that a
mistake shows here and not at the provider: unknown fields and nulls are refused.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

Json = Mapping[str, Any]


class Refusal(Exception):
    """The request is answered with an error *status*; *details* says which field, for people."""

    def __init__(self, status: int, details: str = "") -> None:
        super().__init__(details)
        self.status = status
        self.details = details


_ETHNICITY_TREE: Final[Mapping[str, Mapping[str, str]]] = {
    "African": {
        "Afro-American": "",
        "Afro-Brazilian": "",
        "Afro-Caribbean": "Haitian, Jamaican, Trinidadian",
        "Afro-Latino": "",
        "Central African": "Cameroonian, Congolese, Gabonese",
        "East African": "Ethiopian, Kenyan, Somali, Tanzanian",
        "North African": "Algerian, Egyptian, Moroccan, Tunisian",
        "Southern African": "Mozambican, South African, Zimbabwean",
        "West African": "Ghanaian, Ivorian, Nigerian, Senegalese",
    },
    "American": {
        "Afro-American": "",
        "Afro-Latino": "",
        "Caribbean": "Cuban, Dominican, Puerto Rican",
        "Hispanic": "Argentinian, Brazilian, Chilean, Colombian, Mexican, Peruvian",
        "Native American": "First Nations, Inuit",
    },
    "Asian": {
        "Central Asian": "Kazakh, Turkmen, Uzbek",
        "East Asian": "Chinese, Japanese, Korean",
        "Middle Eastern": "Arab, Armenian, Iranian, Kurdish, Persian, Turkish",
        "South Asian": "Bangladeshi, Indian, Nepali, Pakistani, Sri Lankan",
        "Southeast Asian": "Cambodian, Filipino, Indonesian, Malaysian, Thai, Vietnamese",
    },
    "European": {
        "Caucasian": "",
        "Eastern European": "Czech, Hungarian, Polish, Russian, Slovak, Ukrainian",
        "Northern European": "British, Finnish, Irish, Scandinavian",
        "Southern European": "Greek, Italian, Portuguese, Spanish",
        "Western European": "Belgian, Dutch, French, German, Swiss",
    },
    "Oceanian": {
        "Australian Aboriginal": "",
        "Pacific Islander": "Fijian, Hawaiian, Maori, Melanesian, Micronesian, Polynesian, Samoan, Tongan",
    },
}


def _ethnicities() -> Iterable[str]:
    for root, branches in _ETHNICITY_TREE.items():
        yield root
        for branch, leaves in branches.items():
            yield f"{root} \\ {branch}"
            for leaf in filter(None, leaves.split(", ")):
                yield f"{root} \\ {branch} \\ {leaf}"


def _folded(values: str | Iterable[str]) -> frozenset[str]:
    listed = values.split(", ") if isinstance(values, str) else values
    return frozenset(value.casefold() for value in listed)


ETHNICITIES: Final = tuple(_ethnicities())
"""All 113, on every level, with space, backslash, space between the levels."""

_FEATURES: Final = _folded(
    "Freckles, Small moles, Vitiligo, Rosacea, Cheek dimple, Chin dimple, Acne, Wrinkles, Facial scar, "
    "Arm scar, Face birthmark, Arm birthmark, Neck birthmark, Facial tattoo, Neck tattoo, Chest tattoo, "
    "Sleeve tattoo, Henna patterns, Ear piercings, Nose piercing, Lip piercing, Eyebrow piercing"
)

_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "age": _folded("Baby, Child, Teenager, Young adult, Adult, Middle-aged, Senior, Elderly"),
    "ethnicity": _folded(ETHNICITIES),
    "bodyType": _folded("Slim, Athletic, Muscular, Average, Curvy, Overweight"),
    "height": _folded("Short, Medium, Tall"),
    "breastSize": _folded("Small, Medium, Large"),
    "hairLength": _folded("Bald, Buzz cut, Short, Medium, Long, Very long"),
    "hairColor": _folded(
        "Black, Dark brown, Brown, Light brown, Blonde, Platinum blonde, Ginger, Gray, White"
    ),
    "eyeColor": _folded("Brown, Blue, Green, Hazel, Gray, Amber"),
    "facialHair": _folded("Clean-shaven, Mustache, Beard, Long Beard, Stubble"),
}

_VARIANTS: Final[Mapping[str, tuple[int, ...]]] = {
    "packshot": (1, 3, 5),
    "studio": (1, 3, 5),
    "lifestyle": (1, 3, 5),
    "mix": (9,),
}
"""Shot type → how many variants it may have; the first is the default."""

_ASPECT_RATIOS: Final = _folded("1:1, 9:16, 16:9, 3:4, 4:3, 3:2, 2:3, 5:4, 4:5, 21:9")
_MODEL_FIELDS: Final = frozenset(
    {"name", "gender", "attributes", "referenceImages", "metadata", "callbackUrl", "priority"}
)
_PICTURE_FIELDS: Final = frozenset(
    {"shotType", "variants", "model", "modelImageUrl", "product", "output", "metadata", "callbackUrl"}
)


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """A valid body of POST /models. Attributes keep the spelling they came in, as the answers show them."""

    name: str | None
    gender: str | None
    attributes: Json
    references: tuple[str, ...]
    metadata: Json
    callback: str | None
    priority: str

    @property
    def price(self) -> int:
        """Credits. The document gives no price and says that high priority may be billed differently."""
        return 2 if self.priority == "high" else 1

    @property
    def images(self) -> tuple[str, ...]:
        """Every picture that was handed in."""
        return self.references


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """A valid body of POST /pictures, with the documented defaults filled in."""

    shot_type: str
    variants: int
    model_uuid: str | None
    model: ModelOrder | None
    model_image: str | None
    products: tuple[str, ...]
    aspect_ratio: str
    format: str
    metadata: Json
    callback: str | None

    @property
    def price(self) -> int:
        """Credits: one a picture, as the document gives no price."""
        return self.variants

    @property
    def images(self) -> tuple[str, ...]:
        """Every picture that was handed in, the first product first."""
        model = self.model.references if self.model else ()
        return (*self.products, *model, *((self.model_image,) if self.model_image else ()))


def model_order(body: object, at: str = "") -> ModelOrder:
    """
    Return the order in *body*; *at* is where it stands, such as `model.`.

    Errors:  Refusal 400.
    """
    data = _object(body, at or "body", _MODEL_FIELDS)
    order = ModelOrder(
        name=_text(data, "name", at, longest=100),
        gender=_choice(data, "gender", at, ("male", "female")),
        attributes=_attributes(data.get("attributes", {}), f"{at}attributes"),
        references=_images(data.get("referenceImages", []), f"{at}referenceImages"),
        metadata=_object(data.get("metadata", {}), f"{at}metadata"),
        callback=_callback(data, at),
        priority=_choice(data, "priority", at, ("standard", "high")) or "standard",
    )
    # "Required for attribute-based generation; recommended in hybrid."
    if order.gender is None and not order.references:
        raise _wrong(f"{at}gender", "is required without referenceImages")
    return order


def picture_order(body: object) -> PictureOrder:
    """Return the order in *body*. Errors: Refusal 400."""
    data = _object(body, "body", _PICTURE_FIELDS)
    shot_type = _choice(data, "shotType", "", _VARIANTS)
    if shot_type is None:
        raise _wrong("shotType", "is required")
    model_uuid, model = _model_of(data)
    product = _object(_required(data, "product"), "product", {"images", "info"})
    _text(product, "info", "product.")
    output = _object(data.get("output", {}), "output", {"aspectRatio", "format"})
    return PictureOrder(
        shot_type=shot_type,
        variants=_variants(data, shot_type),
        model_uuid=model_uuid,
        model=model,
        model_image=_web_address(data, "modelImageUrl", ""),
        products=_images(_required(product, "images", "product."), "product.images", least=1),
        aspect_ratio=_choice(output, "aspectRatio", "output.", _ASPECT_RATIOS) or "1:1",
        format=_choice(output, "format", "output.", ("png", "jpg")) or "png",
        metadata=_object(data.get("metadata", {}), "metadata"),
        callback=_callback(data, ""),
    )


def _model_of(data: Json) -> tuple[str | None, ModelOrder | None]:
    """Return the uuid or the inline definition in `model`; it excludes `modelImageUrl`."""
    if "model" not in data:
        return None, None
    if "modelImageUrl" in data:
        raise _wrong("model", "and modelImageUrl exclude each other")
    model = _object(data["model"], "model", {"uuid", *_MODEL_FIELDS})
    if "uuid" not in model:
        return None, model_order(model, "model.")
    if len(model) > 1:
        raise _wrong("model", "is either a uuid or a definition, not both")
    return _text(model, "uuid", "model."), None


def _variants(data: Json, shot_type: str) -> int:
    allowed = _VARIANTS[shot_type]
    value = data.get("variants", allowed[0])
    if type(value) is not int or value not in allowed:
        raise _wrong("variants", f"must be {_listed(allowed)} for {shot_type}")
    return value


def _attributes(value: object, at: str) -> Json:
    attributes = _object(value, at, {*_ATTRIBUTES, "distinctiveFeatures"})
    for key, allowed in _ATTRIBUTES.items():
        _choice(attributes, key, f"{at}.", allowed)
    features = attributes.get("distinctiveFeatures", [])
    if not isinstance(features, list):
        raise _wrong(f"{at}.distinctiveFeatures", "must be an array of strings")
    for index, feature in enumerate(features):
        if not isinstance(feature, str) or feature.casefold() not in _FEATURES:
            raise _wrong(f"{at}.distinctiveFeatures[{index}]", f"does not know {feature!r}")
    return attributes


def _object(value: object, at: str, known: Collection[str] | None = None) -> Json:
    if not isinstance(value, dict):
        raise _wrong(at, "must be an object")
    for key in value:
        if known is not None and key not in known:
            raise _wrong(f"{at}.{key}", "is not a field")
    return value


def _required(data: Json, key: str, at: str = "") -> object:
    if key not in data:
        raise _wrong(f"{at}{key}", "is required")
    return data[key]


def _text(data: Json, key: str, at: str, *, longest: int | None = None) -> str | None:
    if key not in data:
        return None
    value = data[key]
    if not isinstance(value, str):
        raise _wrong(f"{at}{key}", "must be a string")
    if longest is not None and len(value) > longest:
        raise _wrong(f"{at}{key}", f"has more than {longest} characters")
    return value


def _choice(data: Json, key: str, at: str, allowed: Collection[str]) -> str | None:
    """Return the value in lower case: "Parameters are case-insensitive in values where applicable"."""
    value = _text(data, key, at)
    if value is None:
        return None
    if value.casefold() not in allowed:
        shown = _listed(sorted(allowed)) if len(allowed) < 12 else "one of the documented values"
        raise _wrong(f"{at}{key}", f"must be {shown}, not {value!r}")
    return value.casefold()


def _images(value: object, at: str, *, least: int = 0) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < least:
        raise _wrong(at, "must be an array of URLs or data: URIs" + (", not empty" if least else ""))
    for index, image in enumerate(value):
        if not isinstance(image, str) or not image:
            raise _wrong(f"{at}[{index}]", "must be a URL or a data: URI")
    return tuple(value)


def _callback(data: Json, at: str) -> str | None:
    return _web_address(data, "callbackUrl", at)


def _web_address(data: Json, key: str, at: str) -> str | None:
    value = _text(data, key, at)
    if value is None:
        return None
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise _wrong(f"{at}{key}", "must be an http(s) URL")
    return value


def _listed(values: Iterable[object]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last


def _wrong(at: str, what: str) -> Refusal:
    return Refusal(400, f"{at} {what}")
