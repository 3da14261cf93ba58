"""
Plays trypi: avatars made in the background, found by a long poll, safe to ask for twice.

Source: the "Create marketing-style avatar images" page of trypi's API reference; where it prints
nothing, the public contract of the service (job shape, error envelope, X- headers, value sets of
`output`). What both leave open is decided as follows.

- A body is "the same" for an Idempotency-Key when its bytes are; a refused request leaves no trace
  under the key, an accepted one is there at once and for ever.
- The picture's link is shown only with `expand=avatar`, in `data.avatar` and in `data.payload`.
- Unknown fields are refused everywhere but in `hints`, whose keys are free.
- 15 MB are 15,000,000 bytes of the picture itself.
- `save` answers 201 and makes a new record each time; saved avatars come in the same envelope as
  jobs, newest first; the time in them is a number.
- No prices are documented: the books count one credit a job, and 402 answers when none is left.
- No rate limit is documented, so there is none but the fault.
"""

from orchestrator.simulators.trypi.service import Simulator

__all__ = ["Simulator"]
