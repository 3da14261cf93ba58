"""What a drawn person looks like: words such as "Platinum blonde" or "Elderly" become colours and shapes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.simulators.pictures.canvas import Colour, dark, mix, varied

_T = TypeVar("_T")

HAIR_COLOURS: dict[str, Colour] = {
    "black": (34, 28, 32),
    "dark brown": (62, 42, 34),
    "brown": (98, 64, 43),
    "light brown": (148, 106, 70),
    "blonde": (218, 178, 112),
    "platinum blonde": (236, 220, 188),
    "ginger": (178, 86, 42),
    "gray": (152, 150, 152),
    "white": (230, 228, 226),
}
EYE_COLOURS: dict[str, Colour] = {
    "brown": (98, 60, 36),
    "blue": (66, 122, 184),
    "green": (80, 138, 92),
    "hazel": (142, 108, 56),
    "gray": (124, 138, 150),
    "amber": (188, 126, 42),
}
HAIR_LENGTHS = ("bald", "buzz cut", "short", "medium", "long", "very long")
FACIAL_HAIR = ("clean-shaven", "stubble", "mustache", "beard", "long beard")

_AGES = ("baby", "child", "teenager", "young adult", "adult", "middle-aged", "senior", "elderly")
_SKINS: dict[str, Colour] = {
    "african": (122, 80, 58),
    "afro": (134, 90, 66),
    "caribbean": (150, 102, 74),
    "indian": (182, 132, 98),
    "south asian": (182, 132, 98),
    "arab": (210, 164, 128),
    "middle eastern": (210, 164, 128),
    "hispanic": (216, 168, 132),
    "latin": (216, 168, 132),
    "native": (190, 138, 104),
    "asian": (238, 200, 168),
    "northern": (248, 216, 196),
    "european": (242, 204, 178),
}
_CLOTHES: tuple[Colour, ...] = (
    (238, 234, 226),
    (44, 62, 92),
    (150, 62, 66),
    (74, 104, 90),
    (212, 164, 92),
    (92, 84, 128),
    (58, 58, 64),
    (196, 128, 118),
)
NECKLINES = ("crew", "v", "shirt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Everything about a person that can be seen. *age* counts in the eight steps from baby to elderly."""

    skin: Colour
    hair: Colour
    hair_length: str
    eyes: Colour
    lips: Colour
    clothes: Colour
    neckline: str
    is_male: bool
    age: int
    facial_hair: str
    parting: int
    has_freckles: bool
    has_earrings: bool
    jaw: float

    @property
    def wrinkles(self) -> float:
        """Return 0 (none) to 1 (many)."""
        return max(0.0, (self.age - 4) / 3)


def looks(seed: int, traits: Mapping[str, object] | None = None) -> Looks:
    """Return the person *seed* stands for; what *traits* say (any spelling of the names) comes first."""
    rng = random.Random(f"looks-{seed}")
    said = _normalised(traits or {})
    is_male = _is_male(rng, said)
    age = _position(_AGES, said.get("age", ""), rng.choice((3, 3, 4, 4, 5)))
    skin = varied(rng, _skin(rng, said.get("ethnicity", "")), 5)
    usual = ("short", "short", "buzz cut", "medium") if is_male else ("short", "medium", "long", "long")
    drawn_length, drawn_beard = (
        rng.choice(usual),
        rng.choice(("clean-shaven", "clean-shaven", "stubble", "beard")),
    )
    features = said.get("distinctivefeatures", "")
    return Looks(
        skin=skin,
        hair=varied(rng, _hair(rng, said.get("haircolor", ""), skin, age), 5),
        hair_length=_word(HAIR_LENGTHS, said.get("hairlength", ""), drawn_length),
        eyes=EYE_COLOURS.get(said.get("eyecolor", ""), rng.choice(list(EYE_COLOURS.values()))),
        lips=mix(dark(skin, 0.22), (190, 62, 72), 0.3 if is_male else 0.58),
        clothes=rng.choice(_CLOTHES),
        neckline=rng.choice(NECKLINES),
        is_male=is_male,
        age=age,
        facial_hair=_word(FACIAL_HAIR, said.get("facialhair", ""), drawn_beard)
        if is_male
        else "clean-shaven",
        parting=rng.choice((-1, 1)),
        has_freckles="freckles" in features or rng.random() < 0.12,
        has_earrings="ear piercings" in features or (not is_male and rng.random() < 0.5),
        jaw=rng.uniform(-0.6, 0.8),
    )


def _normalised(traits: Mapping[str, object]) -> dict[str, str]:
    """Return names without case and underscores, values as lower-case text."""
    return {name.replace("_", "").lower(): _text(value) for name, value in traits.items()}


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value).lower()
    return str(value).strip().lower()


def _is_male(rng: random.Random, said: Mapping[str, str]) -> bool:
    drawn = rng.random() < 0.4
    gender = said.get("gender") or said.get("genderexpression") or ""
    if gender.startswith(("f", "w")):
        return False
    return True if gender.startswith("m") else drawn


def _skin(rng: random.Random, ethnicity: str) -> Colour:
    drawn = rng.choice(list(_SKINS.values()))
    return next((colour for word, colour in _SKINS.items() if word in ethnicity), drawn)


def _hair(rng: random.Random, said: str, skin: Colour, age: int) -> Colour:
    # A skin this dark rarely comes with fair hair; somebody who wants it says so.
    usual = (
        ("black", "dark brown")
        if sum(skin) < 560
        else ("dark brown", "brown", "light brown", "blonde", "ginger")
    )
    natural = HAIR_COLOURS[rng.choice(usual)]
    if said in HAIR_COLOURS:
        return HAIR_COLOURS[said]
    return mix(natural, HAIR_COLOURS["white"], 0.75) if age >= 6 else natural


def _word(known: Sequence[str], said: str, otherwise: str) -> str:
    return said if said in known else otherwise


def _position(known: Sequence[_T], said: _T, otherwise: int) -> int:
    return known.index(said) if said in known else otherwise
