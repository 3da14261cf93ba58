"""
Plays Pixza: one submit for images, clips and 3D, which may be finished before it is answered.

Source: Pixza API reference v1, a page about an API that is not open yet. What it
leaves open is decided as follows.

- Half of the images that take no longer than three seconds are answered when they are finished,
  by chance that the seed decides; all else is answered at once as `processing` and must be asked for.
- Success is 200. Every error has `error` and `message`; an unknown id or path is a 404 `not_found`,
  a body that is no JSON a 422 like any other wrong one.
- A burst that is refused (fault `rate_limit`) says in `Retry-After` when to come again; the plan does not.
- The account is on the Pro plan: 60 requests in any 60 seconds.
- Credits are taken when a generation is accepted, and a failed one is not refunded.
- The webhook is sent, once, also for failures: as id and status, or as the whole
  generation, since the page says both.
- `GET /generations` gives the latest fifty. Lists stand under `generations` and `models`, the balance
  under `credits_remaining`.
- For type `3d`, of which the page names no model, there is `simulated-3d`, the default for that type.
  `flux-kontext` and `wan-i2v` need an input image, `veo-3-fast` takes none.
"""

from orchestrator.simulators.pixza.service import Simulator

__all__ = ["Simulator"]
