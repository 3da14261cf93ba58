"""Shows what a run needs a person for, questions and unclear submits, with the commands that settle them."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from orchestrator.cli.render import artifact_address, artifact_text, instance_name, is_artifact, local, plain

Object = Mapping[str, Any]

_DECIDED = {"approve": "it counts as approved", "reject": "it counts as rejected", "fail": "the step fails"}
_SETTLED = {"its task": "--adopt TASK_ID", "surely no task": "--resubmit", "no matter": "--fail"}
"""What a person may find of an unclear submit, and what then settles it."""


def questions(run: Object, server: str) -> Iterator[tuple[str, Text]]:
    """Yield each open question of *run* with its job: what is asked, the choices, how to answer."""
    for step in run.get("steps") or ():
        if step.get("question"):
            yield plain(step.get("job")), question_text(plain(run.get("id")), step, server)


def question_text(run: str, step: Object, server: str) -> Text:
    """Return the question of one step instance in lines."""
    asked, name = step["question"], instance_name(step)
    text = Text.assemble(("? ", "yellow"), (name, "bold"), f" asks: {plain(asked.get('message'))}")
    for number, choice in enumerate(asked.get("choices") or ()):
        text.append(f"\n    [{number}] {_choice(choice, server)}")
    if asked.get("deadline_at"):
        decided = _DECIDED.get(str(asked.get("default")), "it is decided without you")
        text.append(f"\n  until {local(asked['deadline_at'])}, then {decided}", style="dim")
    text.append(f"\n  {approve_command(run, name, asked)}", style="cyan")
    return text.append(f"\n  {reject_command(run, name)}", style="cyan")


def settle_text(job: Object) -> Text:
    """Return, in lines, how a person settles a job of which nobody knows whether it was accepted."""
    text = Text.assemble(("? ", "yellow"), (instance_name(job, "step"), "bold"))
    named = f" as {plain(job['task_id'])}" if job.get("task_id") else ""
    text.append(
        f" may be a task at {plain(job['connection'])}{named}, or not. Look at the pages there, and say:"
    )
    for seen, choice in _SETTLED.items():
        text.append(f"\n    {seen:<16}").append(
            f"orchestrator jobs resolve {job['id']} {choice}", style="cyan"
        )
    return text


def approve_command(run: str, instance: str, asked: Object) -> str:
    """Return the command that approves, with a choice to be replaced where there is something to choose."""
    command = f"orchestrator runs approve {run} {shlex.quote(instance)}"
    if not asked.get("choices"):
        return command
    return f"{command} --choose N" + (
        f"   (up to {asked['pick']} times)" if asked.get("pick", 1) != 1 else ""
    )


def reject_command(run: str, instance: str) -> str:
    """Return the command that rejects."""
    return f"orchestrator runs reject {run} {shlex.quote(instance)}"


def _choice(choice: Any, server: str) -> str:
    if not is_artifact(choice):
        return plain(choice)
    known = f"{artifact_text(choice)}  " if choice.get("media_type") else ""
    return f"{known}{artifact_address(choice, server)}"
