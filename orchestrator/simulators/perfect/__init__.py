"""
Plays Perfect: 48 operations in twelve features, driven by polling alone, and strict about all of it.

Source: Perfect AI API 2.0. The document prints hardly any path and no error
body; paths and error bodies here follow the public pattern of its sibling
product. What it leaves open is decided as follows.

- A lost task and an unknown one answer 404 `InvalidTaskId`.
- A run with a file that was never uploaded, or is older than a day, answers 404
  with `error_download_image` (`error_download_mask` for a mask), and no task is made.
- What is wrong with a picture itself ends the task: `error_decode_image`,
  `exceed_max_filesize`, `invalid_parameter` for one too large, or a mask of another size or in colour.
- A repeated request_id with the same files is answered with the original task_id, or with an
  empty result: one way or the other for the whole life of a simulator, chosen by its seed.
- Every task costs one credit, taken when it succeeds, whether or not somebody is still looking.
- A finished task can be asked for again for as long as its files are kept, but
  its links are those of the day it ended.
- An id_token's clock may be five minutes off.
"""

from orchestrator.simulators.perfect.service import Simulator

__all__ = ["Simulator"]
