"""
Plays Pixu: four submits with the key in their body, and one word back by GET when all went well.

Source: the "Pixu API v1" page. It documents no error, no price, no limit, no look-up and no way to get
at the pictures that were made, and neither does this simulator have any but these:

- An error is `{"error": "…"}` with 400 for a wrong body, 401 for a wrong key, 402 without credits, 403 for
  a wrong app_uid, 404 for a model that does not exist, and 429 and 500 as faults.
- Every field that is not marked optional or "if omitted" is required, unknown ones are refused.
  `face_base64` is plain base64 without a prefix, of a JPEG, PNG or WebP; weights go from 0 to 1.
- The page prints the generic app_uid as `API` and as `api`: both are taken.
- A model can be used as soon as it is trained; before, and after a failed training, it is a 400.
- What fails, fails silently: there is no call for it.
- A callback is sent once: the address as it was given with the uid glued to its end.
- The books count one credit for each accepted submit, and its mark is its callback address.
"""

from orchestrator.simulators.pixu.service import Simulator

__all__ = ["Simulator"]
