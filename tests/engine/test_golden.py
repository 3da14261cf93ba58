"""
Logs as released versions wrote them, in `golden/`: they fold for ever, to what they came to then.

A line is one run: its events as they are stored, and its state. The file of a version that is released is
never changed again; ORCHESTRATOR_GOLDEN=PATH has the stories in `transcripts/` written to a new one.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from orchestrator.engine import events as e
from orchestrator.engine.fold import fold

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.jsonl"))


def runs(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_log_of_an_earlier_version_comes_to_what_it_came_to_then(path: Path, kit: SimpleNamespace) -> None:
    for run in runs(path):
        state = fold(e.decode(each["type"], orjson.dumps(each["data"])) for each in run["events"])

        assert _known_part(kit.shown(state), run["state"]) == run["state"], run["name"]


def test_every_event_is_in_a_log_that_is_kept() -> None:
    kept = {each["type"] for path in GOLDEN for run in runs(path) for each in run["events"]}

    assert kept == set(e.KINDS)


def _known_part(now: Any, then: Any) -> Any:
    """Return *now* without what there was no name for *then*."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {key: _known_part(value, then[key]) for key, value in now.items() if key in then}
    return now
