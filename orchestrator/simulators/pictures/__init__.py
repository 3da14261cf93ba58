"""
The pictures the simulators answer with: drawn, composed and retouched for real.

Pure functions from bytes to bytes, the same arguments always give the same
picture: a person who watches a workflow sees the product arrive in the scene,
the enlargement really twice as large, the background really gone.

No function here knows a provider. `portrait`, `product_shot` and `from_prompt`
make pictures; the others change one that was handed in and raise `NotAPicture`
when it cannot be read.
"""

from orchestrator.simulators.pictures import canvas, landscapes, people, retouch, scenes
from orchestrator.simulators.pictures.canvas import NotAPicture, dimensions, plain
from orchestrator.simulators.pictures.memory import remembered

examined = remembered(canvas.examined)
is_grey = remembered(canvas.is_grey)
from_prompt = remembered(landscapes.from_prompt)
portrait = remembered(people.portrait)
product_shot = remembered(scenes.product_shot)
aged = remembered(retouch.aged)
colorized = remembered(retouch.colorized)
converted = remembered(retouch.converted)
cut_out = remembered(retouch.cut_out)
enlarge = remembered(retouch.enlarge)
hair = remembered(retouch.hair)
makeup = remembered(retouch.makeup)
remove_object = remembered(retouch.remove_object)
wig = remembered(retouch.wig)

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
    "is_grey",
    "makeup",
    "plain",
    "portrait",
    "product_shot",
    "remove_object",
    "wig",
]
