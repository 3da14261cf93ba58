"""How a run looks before it is one: its steps in order, what they wait for, and what they would cost."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.render import amount, plain, table

Object = Mapping[str, Any]


def show(found: Object, out: Console) -> None:
    """Print what `POST /runs` with `dry_run` answered."""
    out.print(Text.assemble((plain(found["workflow"]), "bold"), "  dry run: nothing is sent or stored"))
    out.print()
    out.print(_steps(found))
    notes = [f"{step['id']}: {text}" for step in found["steps"] for text in _remarks(step)]
    for text in notes:
        out.print(Text(f"  {text}", style="dim"))
    out.print()
    out.print(_costs(found))
    for text in found["warnings"]:
        out.print(Text(f"! {plain(text)}", style="yellow"))
    for text in found["problems"]:
        out.print(Text(f"✗ {plain(text)}", style="red"))
    if found["possible"]:
        out.print(Text("✓ nothing known now is in its way", style="green"))


def _steps(found: Object) -> Table:
    """Return the steps; the number tells which of them can run at the same time."""
    rows: list[tuple[str | Text, ...]] = []
    shown = 0
    for step in sorted(found["steps"], key=lambda step: step["stage"]):
        number = str(step["stage"]) if step["stage"] != shown else ""
        shown = step["stage"]
        style = "dim" if step["runs"] == "no" else ""
        cells = (number, step["id"], step["uses"], _times(step), _credits(step), ", ".join(step["needs"]))
        rows.append(tuple(Text(plain(cell), style=style) for cell in cells))
    return table(("", "step", "uses", "runs", "credits", "after"), rows)


def _times(step: Object) -> str:
    """Say how often a step runs: `once`, `3 times`, `0 to 3 times`, `no`, `once per item`."""
    if step["runs"] == "no":
        return "no"
    if step["for_each"] is None:
        return "once" if step["runs"] == "yes" else "perhaps"
    if step["times"]["max"] is None:
        return "once per item"
    return f"{span(step['times'])} times" if step["times"] != {"min": 1, "max": 1} else "once"


def _credits(step: Object) -> str:
    if not step["credits"] or step["runs"] == "no":
        return ""
    return ", ".join(
        span(each) if name == step["uses"].partition("/")[0] else f"{name} {span(each)}"
        for name, each in step["credits"].items()
    )


def _remarks(step: Object) -> Iterator[str]:
    if step["for_each"] is not None and step["runs"] != "no":
        together = f", {step['max_parallel']} at a time" if (step["times"]["max"] or 2) > 1 else ""
        yield f"once for each of {plain(step['for_each'])}{together}"
    if step["why"]:
        yield f"{'does not run' if step['runs'] == 'no' else 'perhaps does not run'} ({plain(step['why'])})"
    yield from map(plain, step["notes"])


def _costs(found: Object) -> Table:
    """Return what it all costs, by connection, and what there is for it."""
    budgets = {each["connection"]: each for each in found["budget"]}
    connections = {each["name"]: each for each in found["connections"]}
    rows = [
        (name, span(each), _left_of_run(budgets.get(name)), _left_of(connections.get(name)))
        for name, each in found["credits"].items()
    ]
    if not rows:
        return table(("nothing here costs credits",), [])
    calls = span(found["paid_calls"])
    paid = f"{calls} paid call{'' if calls == '1' else 's'}"
    columns = (paid, "credits", "budget of the run", "connection")
    used = [n for n, name in enumerate(columns) if n < 2 or any(row[n] for row in rows)]
    return table([columns[n] for n in used], [[row[n] for n in used] for row in rows])


def _left_of_run(budget: Object | None) -> str:
    if budget is None:
        return ""
    left = {"min": budget["left"]["min"] or 0, "max": budget["left"]["max"]}
    return f"{amount(budget['credits'])}, {span(left)} left after it"


def _left_of(connection: Object | None) -> str:
    if connection is None:
        return ""
    parts = [] if connection["credits"] is None else [f"{amount(connection['credits'])} in the account"]
    if (budget := connection["budget"]) is not None:
        left = max(budget["credits"] - budget["used"], 0)
        parts.append(f"{amount(left)} of {amount(budget['credits'])} per {plain(budget['per'])} left")
    return ", ".join(parts)


def span(given: Object) -> str:
    """Return a range as `3`, `1 to 3`, `at least 3`, `unknown`."""
    least, most = given["min"], given["max"]
    if most is None:
        return f"at least {amount(least)}" if least else "unknown"
    return amount(least) if least == most else f"{amount(least)} to {amount(most)}"
