"""
How things look in a terminal: tables, the steps of a run, lines of words.

What comes from a provider is text to be shown and nothing else: it never reaches the
terminal as markup or as control characters.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Object = Mapping[str, Any]

PIPE_WIDTH = 240
"""Columns where nobody told how wide the terminal is, because there is none."""

STYLES = {
    "succeeded": "green",
    "active": "green",
    "accepted": "green",
    "running": "cyan",
    "waiting": "cyan",
    "collecting": "cyan",
    "submitting": "cyan",
    "failed": "red",
    "timed_out": "red",
    "uncertain": "yellow",
    "paused": "yellow",
    "late": "yellow",
    "mismatch": "red",
    "unreadable": "red",
}
"""Colour of a status or verdict; the others are dim."""

MARKS = {"succeeded": "✓", "failed": "✗", "running": "●", "cancelled": "■", "skipped": "–"}

WAITS = {
    "created": "waits for its turn",
    "submitting": "waits for the answer to its submit",
    "waiting": "waits for its result",
    "collecting": "fetches its files",
    "uncertain": "waits for news of a submit that nobody answered",
}
"""What an open job is doing, by its status."""


def console(*, stderr: bool = False) -> Console:
    """Return where to print; a pipe is wide, so that no line is broken for it."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def print_json(data: Any) -> None:
    """Print *data* for machines, and for people who look at what machines get."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def print_line(data: Any) -> None:
    """Print *data* as one line of JSON."""
    click.echo(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    sys.stdout.flush()


# --- words -----------------------------------------------------------------------------------


def plain(value: Any) -> str:
    """Return *value* as text without anything that a terminal would obey."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def pretty(data: Any) -> str:
    """Return *data* as indented JSON without anything that a terminal would obey."""
    return plain(json.dumps(data, ensure_ascii=False, indent=2))


def shortened(value: Any, length: int = 200) -> str:
    """Return *value* as text that is cut where it gets too long to be read."""
    text = plain(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def colored(status: Any) -> Text:
    """Return a status in its colour."""
    text = plain(status)
    return Text(text, style=STYLES.get(text, "dim"))


def moment(text: str | None) -> datetime | None:
    """Return an RFC 3339 time as a moment, or None for what is none."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def local(text: str | None) -> str:
    """Return a time as the reader's own clock shows it: `2026-11-20 18:00:03`."""
    at = moment(text)
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at is not None else ""


def duration(seconds: float) -> str:
    """Return a length of time in at most two units: `0.4s`, `12.3s`, `2m 05s`, `3h 12m`, `2d 4h`."""
    seconds = max(seconds, 0.0)
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"


def took(thing: Object, now: datetime | None = None) -> str:
    """Return how long *thing* has taken, up to *now* when it goes on."""
    start = moment(thing.get("started_at") or thing.get("created_at"))
    end = moment(thing.get("finished_at")) or now or datetime.now(UTC)
    return duration((end - start).total_seconds()) if start is not None else ""


def size(count: float) -> str:
    """Return a number of bytes as `512 B`, `34 kB`, `1.2 MB`."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 999.5:
            return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} GB"


def amount(value: float | None) -> str:
    """Return credits without a needless fraction."""
    return "" if value is None else f"{value:g}"


def money(credits: Object) -> str:
    """Return credits by connection: `pizi 4, perfect 3`."""
    return ", ".join(f"{plain(name)} {amount(value)}" for name, value in credits.items())


def error_text(error: Object | None) -> str:
    """Return an error as `task_failed error_no_face: no face was found`."""
    if not error:
        return ""
    names = " ".join(plain(error[key]) for key in ("class", "code") if error.get(key))
    return f"{names}: {plain(error.get('message'))}"


def instance_name(thing: Object, key: str = "id") -> str:
    """Return `enhance[2]`, or `model` for a step that is not repeated."""
    index = thing.get("index")
    return plain(thing.get(key)) if index is None else f"{plain(thing.get(key))}[{index}]"


def artifact_text(artifact: Object) -> str:
    """Return a file in words: `image/png 1024 × 1536, 1.4 MB`."""
    sides = f" {artifact['width']} × {artifact['height']}" if artifact.get("width") else ""
    return f"{plain(artifact.get('media_type'))}{sides}, {size(artifact.get('size') or 0)}"


# --- tables ----------------------------------------------------------------------------------


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table without lines; the first column is never broken."""
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for position, column in enumerate(columns):
        made.add_column(column, no_wrap=position == 0, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    return made


GAP = 2
"""Between two columns."""

FOLDED_WIDTH_MIN = 20
"""A text of several words is not folded into less."""


def show_list(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], none: str) -> None:
    """Print a table, or the sentence *none* where there is nothing to show."""
    if not rows:
        console(stderr=True).print(Text(none, style="dim"))
        return
    out = console()
    count = fitting(columns, rows, out.width) if out.is_terminal else len(columns)
    out.print(table(columns[:count], [row[:count] for row in rows]))
    if left_out := [column for column in columns[count:] if column]:
        words = f"A wider terminal also shows: {', '.join(left_out)}"
        console(stderr=True).print(Text(words, style="dim"))


def tell_list(
    items: Iterable[Object],
    as_json: bool,
    columns: Sequence[str],
    row: Callable[[Object], Sequence[str | Text]],
    none: str,
) -> None:
    """Print what a list holds: an array for machines, for people a table of each item's *row*."""
    found = list(items)
    if as_json:
        print_json(found)
    else:
        show_list(columns, [row(item) for item in found], none)


def fitting(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], width: int) -> int:
    """
    Return how many of *columns* a terminal of *width* shows without breaking an id or a time.

    The last one of all may be folded where it holds words, given some room.
    """
    used = 0
    for position, column in enumerate(columns):
        cells = [
            cell.plain if isinstance(cell, Text) else plain(cell) for cell in (row[position] for row in rows)
        ]
        is_words = position == len(columns) - 1 and any(" " in cell for cell in cells)
        longest = max(map(cell_len, (column, *cells)))
        used += min(longest, FOLDED_WIDTH_MIN) if is_words else longest
        if used > width and position:
            return position
        used += GAP
    return len(columns)


def pairs(values: Iterable[tuple[str, str | Text]]) -> Table:
    """Return names and values below each other, without those that are empty."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values:
        text = value if isinstance(value, Text) else Text(plain(value))
        if text.plain:
            made.add_row(name, text)
    return made


# --- a run -----------------------------------------------------------------------------------


def step_table(run: Object, needs: Mapping[str, Sequence[str]], now: datetime | None = None) -> Table:
    """
    Return the steps of *run*, one line an instance, with what each waits for or has given.

    *needs*: the steps that each step comes after.
    """
    steps = run.get("steps") or []
    finished = {name for name in {step["id"] for step in steps} if _has_ended(name, steps)}
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for style in ("", "bold", "", "dim"):
        made.add_column(style=style, overflow="fold")
    for step in steps:
        style = STYLES.get(step["status"], "dim")
        made.add_row(
            Text(MARKS.get(step["status"], "○"), style=style),
            Text(instance_name(step)),
            Text(situation(step, [name for name in needs.get(step["id"], ()) if name not in finished])),
            Text(took(step, now) if step.get("started_at") else ""),
        )
    return made


def _has_ended(name: str, steps: Sequence[Object]) -> bool:
    return all(step.get("finished_at") for step in steps if step["id"] == name)


def situation(step: Object, waits_for: Sequence[str] = ()) -> str:
    """Say in a few words where a step instance is. *waits_for*: the steps it needs that have not ended."""
    match step["status"]:
        case "pending":
            return f"waits for {' and '.join(waits_for)}" if waits_for else "waits for its turn"
        case "running":
            return _running(step)
        case "succeeded":
            files = step.get("artifacts") or []
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            return f"done: {artifact_text(files[0])}{more}" if files else "done"
        case "failed":
            return error_text(step.get("error"))
        case status:
            return f"{plain(status)}{': ' if step.get('error') else ''}{error_text(step.get('error'))}"


def _running(step: Object) -> str:
    words, whose = WAITS.get(step.get("job_status") or "", "runs"), "provider: "
    if step.get("job_status") == "waiting" and step.get("waiting_for", "its result") != "its result":
        words, whose = f"waits for {plain(step['waiting_for'])}", ""
    if (step.get("child") or {}).get("run"):
        words = f"waits for {plain(step['child']['run'])}"
    child = step.get("child") or {}
    known = child.get("progress") or step.get("progress")
    progress = f" ({whose}{plain(known)})" if known else ""
    attempt = f", attempt {step['attempt']}" if (step.get("attempt") or 1) > 1 else ""
    return f"{words}{progress}{attempt}"


def started_by(trigger: Object | None) -> str:
    """Return what started a run, where no person or program asked for it."""
    match trigger:
        case {"kind": "webhook", "delivery": delivery}:
            return f"webhook: {plain(delivery)}"
        case {"kind": "schedule", "cron": cron, "timezone": zone, "at": at}:
            return f"schedule: {plain(cron)} {plain(zone)}, of {local(at)}"
        case {"kind": "run", "run": run, "status": status}:
            return f"run: {plain(run)} {plain(status)}"
    return plain((trigger or {}).get("kind"))


def run_heading(run: Object, now: datetime | None = None) -> Text:
    """Return a run in a line: what it is, how it stands, for how long, for how much."""
    credits = money(run.get("credits") or {})
    return Text.assemble(
        (plain(run.get("workflow")), "bold"),
        f"  {plain(run.get('id'))}  ",
        colored(run.get("status")),
        f"  {took(run, now)}",
        f"  credits: {credits}" if credits else "",
    )


def large_text(artifact: Object | None, server: str) -> str:
    """Return where to find what is too large to be shown; nothing where nothing is."""
    if artifact is None:
        return ""
    where = artifact_address(artifact, server)
    return f"too large to be shown here  {artifact_text(artifact)}  {where}"


def run_outputs(run: Object, server: str) -> list[str]:
    """Return the outputs of a run as `output_lines` does, or where they are if they are too large."""
    if large := run.get("outputs_artifact"):
        return [f"the outputs are {large_text(large, server)}"]
    return output_lines(run["outputs"] or {}, server)


def output_lines(outputs: Object, server: str) -> list[str]:
    """Return the outputs of a run, a line for each file or value; files with where they can be had."""
    lines = []
    for name, value in outputs.items():
        for label, item in _leaves(name, value):
            if isinstance(item, Mapping):
                lines.append(f"{label}  {artifact_text(item)}  {artifact_address(item, server)}")
            else:
                lines.append(f"{label}  {plain(item)}")
    return lines


def artifact_address(artifact: Object, server: str) -> str:
    """Return the address of a file."""
    return f"{server}{artifact.get('href') or '/api/v1/artifacts/' + plain(artifact.get('digest'))}"


def is_artifact(value: Any) -> bool:
    """Return whether *value* is a file rather than any other object."""
    return isinstance(value, Mapping) and str(value.get("digest", "")).startswith("sha256:")


def _leaves(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, list) and any(is_artifact(item) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(f"{name}[{index}]", item)
    elif is_artifact(value):
        yield plain(name), value
    else:
        yield plain(name), plain(value)
