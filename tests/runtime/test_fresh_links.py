"""A result that was paid for is not given up because a link to it has ended."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator import app
from orchestrator.rehearsal import sandbox
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.options import Options

WORKFLOW = """
name: avatar
steps:
  avatar:
    uses: trypi/generate_avatar
    with: {prompt: a friendly face}
"""


@dataclass(frozen=True)
class Chosen(Faults):
    """Faults that happen when *happens* says so: to a name, for the nth time that it is asked about."""

    happens: Callable[[str, int], bool] = lambda name, nth: False
    asked: Counter[str] = field(default_factory=Counter)

    def hits(self, name: str, *key: object, seed: int) -> bool:
        self.asked[name] += 1
        return self.happens(name, self.asked[name])


async def avatar(
    folder: Path, happens: Callable[[str, int], bool], *, new_links: bool = True
) -> dict[str, Any]:
    """Return a run of the workflow, ended, at a provider with such faults; *new_links*: at every look."""
    (folder / "workflows").mkdir()
    (folder / "workflows" / "avatar.yaml").write_text(WORKFLOW)
    free = Address(sandbox.LOOPBACK, 0)
    settings = Settings(
        listen=Listen(public=free, admin=free), workflows=folder / "workflows", providers={"trypi": {}}
    )
    faults = Chosen({"expired_link": 1.0} if new_links else {}, happens=happens)
    options = Options(kinds=("trypi",), latency_s=0.01, limits="off", faults=faults)
    async with (
        sandbox.simulated(options) as simulators,
        app.build(sandbox.pointed_at(settings, simulators, folder)).running() as server,
    ):
        return await ended(f"{server.admin_url}/api/v1/runs")


async def ended(runs: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        async with session.post(runs, json={"workflow": "avatar", "inputs": {}}) as answer:
            run: dict[str, Any] = await answer.json()
        while run["status"] in ("pending", "running"):
            await asyncio.sleep(0.05)
            async with session.get(f"{runs}/{run['id']}") as answer:
                run = await answer.json()
    return run


def end_of(run: dict[str, Any]) -> tuple[str, str | None]:
    return run["status"], run["error"] and run["error"]["class"]


async def test_a_fresh_link_takes_the_place_of_one_that_has_ended(tmp_path: Path) -> None:
    run = await avatar(tmp_path, lambda name, nth: name == "expired_link" and nth == 1)

    assert end_of(run) == ("succeeded", None)


async def test_fresh_links_that_have_ended_as_well_are_not_the_last_word(tmp_path: Path) -> None:
    run = await avatar(tmp_path, lambda name, nth: name == "expired_link" and nth <= 3)

    assert end_of(run) == ("succeeded", None)


async def test_a_fresh_look_that_is_refused_for_now_is_made_again(tmp_path: Path) -> None:
    # The third request is that look: after the submit, and the look that brought the link.
    run = await avatar(tmp_path, lambda name, nth: (name, nth) in [("expired_link", 1), ("rate_limit", 3)])

    assert end_of(run) == ("succeeded", None)


async def test_the_same_link_again_is_followed_again(tmp_path: Path) -> None:
    run = await avatar(tmp_path, lambda name, nth: name == "expired_link" and nth <= 2, new_links=False)

    assert end_of(run) == ("succeeded", None)
