"""
The words of Pizi: every value of an enumeration, in the spelling that its document prints.

They are sent in this spelling and compared without regard to capitals.
"""

from collections.abc import Iterator, Mapping

from orchestrator.providers.choice import folded

GENDERS = ("male", "female")
PRIORITIES = ("standard", "high")

AGES = ("Baby", "Child", "Teenager", "Young adult", "Adult", "Middle-aged", "Senior", "Elderly")
BODY_TYPES = ("Slim", "Athletic", "Muscular", "Average", "Curvy", "Overweight")
HEIGHTS = ("Short", "Medium", "Tall")
BREAST_SIZES = ("Small", "Medium", "Large")
HAIR_LENGTHS = ("Bald", "Buzz cut", "Short", "Medium", "Long", "Very long")
HAIR_COLORS = (
    "Black",
    "Dark brown",
    "Brown",
    "Light brown",
    "Blonde",
    "Platinum blonde",
    "Ginger",
    "Gray",
    "White",
)
EYE_COLORS = ("Brown", "Blue", "Green", "Hazel", "Gray", "Amber")
FACIAL_HAIR = ("Clean-shaven", "Mustache", "Beard", "Long Beard", "Stubble")
DISTINCTIVE_FEATURES = (
    "Freckles",
    "Small moles",
    "Vitiligo",
    "Rosacea",
    "Cheek dimple",
    "Chin dimple",
    "Acne",
    "Wrinkles",
    "Facial scar",
    "Arm scar",
    "Face birthmark",
    "Arm birthmark",
    "Neck birthmark",
    "Facial tattoo",
    "Neck tattoo",
    "Chest tattoo",
    "Sleeve tattoo",
    "Henna patterns",
    "Ear piercings",
    "Nose piercing",
    "Lip piercing",
    "Eyebrow piercing",
)

SHOT_TYPES = ("packshot", "studio", "lifestyle", "mix")
VARIANTS: Mapping[str, tuple[int, ...]] = {
    "packshot": (1, 3, 5),
    "studio": (1, 3, 5),
    "lifestyle": (1, 3, 5),
    "mix": (9,),
}
"""How many pictures each type of shot can have; the first is the default."""
ASPECT_RATIOS = ("1:1", "9:16", "16:9", "3:4", "4:3", "3:2", "2:3", "5:4", "4:5", "21:9")
FORMATS = ("png", "jpg")

MODEL_STATUSES = ("processing", "completed", "failed", "deleted")
PICTURE_STATUSES = ("queued", "processing", "completed", "failed")

_TREE: Mapping[str, Mapping[str, str]] = {
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
"""The three levels of the hierarchy. Names repeat below different roots, so only whole paths are values."""


def _paths() -> Iterator[str]:
    for root, regions in _TREE.items():
        yield root
        for region, peoples in regions.items():
            yield f"{root} \\ {region}"
            for people in filter(None, peoples.split(", ")):
                yield f"{root} \\ {region} \\ {people}"


ETHNICITIES = tuple(_paths())
"""All 113; every level can be chosen. A space, a backslash and a space stand between levels."""


def fold_ethnicity(text: str) -> str:
    """Return *text* as it is compared; `/` and `>` may stand for the backslash, which is hard to quote."""
    levels = text.replace("/", "\\").replace(">", "\\").split("\\")
    return " \\ ".join(folded(level) for level in levels)


def ethnicities_named(text: str) -> list[str]:
    """Return the ethnicities whose last level is *text*, or which are *text* with its delimiters lost."""
    wanted = folded(text)
    return [
        path
        for path in ETHNICITIES
        if wanted == folded(path.rsplit(" \\ ", 1)[-1]) or wanted == folded(path.replace("\\", " "))
    ]
