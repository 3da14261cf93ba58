"""Follows a run to its end, in a table that moves or, where there is no terminal, in lines."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from orchestrator.cli.asking import questions
from orchestrator.cli.client import Client, Refusal, part
from orchestrator.cli.narration import Narrator
from orchestrator.cli.render import run_heading, step_table
from orchestrator.cli.trouble import Unreachable

LOOK_S = 0.25
"""Between two looks at the run."""
PATIENCE_S = 60.0
"""How long a server that does not answer is asked again."""

ENDED = ("succeeded", "failed", "cancelled")

Object = dict[str, Any]


def follow(client: Client, run: str, console: Console) -> Object:
    """
    Show *run* on *console* until it has ended, and return it as it is then.

    A server that is started anew meanwhile is waited for. Errors: Unreachable.
    """
    watch = _Watch(client, run)
    if not console.is_terminal:
        return watch.until_end(lambda told: console.print(told), nullcontext())
    live = Live(console=console, get_renderable=watch.picture, refresh_per_second=8)
    shown = watch.until_end(lambda told: None, live)
    return shown


class _Watch:
    """What is known of a run, and the way to know more."""

    def __init__(self, client: Client, run: str) -> None:
        self._client, self._id = client, run
        self._run: Object = client.get(f"/runs/{part(run)}")
        self._needs = needs_of(client, self._run)
        self._narrator = Narrator()
        self._after = 0
        self._asked: set[str] = set()

    def picture(self) -> Group:
        """Return the run as a picture of this moment."""
        asked = [text for _, text in questions(self._run, self._client.server)]
        return Group(run_heading(self._run), step_table(self._run, self._needs), *asked, Text(""))

    def until_end(self, tell: Callable[[Text], None], frame: AbstractContextManager[Any]) -> Object:
        """Look again and again; *tell* gets each event as a line."""
        lost_at: float | None = None
        with frame:
            while True:
                try:
                    is_over = self._look(tell)
                    lost_at = None
                except (Unreachable, Refusal) as error:
                    if isinstance(error, Refusal) and error.status < 500:
                        raise
                    lost_at = lost_at if lost_at is not None else time.monotonic()
                    if time.monotonic() - lost_at > PATIENCE_S:
                        raise
                    is_over = False
                if is_over:
                    return self._run
                time.sleep(LOOK_S)

    def _look(self, tell: Callable[[Text], None]) -> bool:
        """Take in what is new. Returns whether the run had ended before what was told was read."""
        self._run = self._client.get(f"/runs/{part(self._id)}")
        is_over = self._run["status"] in ENDED
        for event in self._client.items("/events", run=self._id, after=self._after):
            self._after = int(event["sequence"])
            tell(self._narrator.tell(event).text())
        for job, text in questions(self._run, self._client.server):
            if job not in self._asked:
                self._asked.add(job)
                tell(text)
        return is_over


def needs_of(client: Client, run: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return which steps each step needs; nothing where the workflow's file is another by now."""
    try:
        workflow = client.get(f"/workflows/{part(run['workflow'])}")
    except Refusal:
        return {}
    if workflow.get("digest") != run.get("digest"):
        return {}
    return {step["id"]: step["needs"] for step in workflow["steps"]}


def say(text: str) -> None:
    """Tell people something that machines must not read."""
    click.echo(text, err=True)
