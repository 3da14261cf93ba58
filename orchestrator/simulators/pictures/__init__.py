"""
The pictures the simulators answer with: drawn, composed and retouched for real.

Pure functions from bytes to bytes, the same arguments always give the same
picture: a person who watches a workflow sees the product arrive in the scene,
the enlargement really twice as large, the background really gone.

No function here knows a provider. `portrait`, `product_shot` and `from_prompt`
make pictures; the others change one that was handed in and raise `NotAPicture`
when it cannot be read.
"""

from orchestrator.simulators.pictures.canvas import NotAPicture, dimensions, examined
from orchestrator.simulators.pictures.landscapes import from_prompt
from orchestrator.simulators.pictures.people import portrait
from orchestrator.simulators.pictures.retouch import (
    aged,
    colorized,
    converted,
    cut_out,
    enlarge,
    hair,
    makeup,
    remove_object,
    wig,
)
from orchestrator.simulators.pictures.scenes import product_shot

__all__ = [
    "NotAPicture",
    "aged",
    "colorized",
    "converted",
    "cut_out",
    "dimensions",
    "enlarge",
    "examined",
    "from_prompt",
    "hair",
    "makeup",
    "portrait",
    "product_shot",
    "remove_object",
    "wig",
]
