"""One workflow as a person sees it: what it takes, the graph of its steps, what it gives, what starts it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.cli import render, step_graph

GRAPH_WIDTH_MAX = 60
"""Of a graph with more lanes a picture says less than the list of what each step needs."""

PARALLEL_DEFAULT = 100
_DAY_S = 86_400.0


def show(workflow: Mapping[str, Any], out: Console) -> None:
    """Print everything that the server tells of a workflow."""
    out.print(Text(render.plain(workflow["name"]), style="bold"))
    if workflow["description"]:
        out.print(Text(in_one_line(workflow["description"])))
    out.print()
    out.print(render.pairs(_facts(workflow)))
    if inputs := list(_inputs(workflow)):
        out.print()
        out.print(render.table(("input", "", "what it is", "for what"), inputs))
    out.print()
    for line in _steps(workflow["steps"], is_utf8=out.encoding.lower().startswith("utf")):
        out.print(line)
    if workflow["outputs"]:
        out.print()
        out.print(render.pairs([("outputs", ", ".join(workflow["outputs"]))]))
    if started_by := list(_triggers(workflow["triggers"])):
        out.print()
        out.print(render.table(("started by", "", "next"), started_by))


def in_one_line(text: Any) -> str:
    """Return a description without its line breaks."""
    return render.plain(" ".join(str(text).split()))


def _facts(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "file", workflow.get("file") or ""
    yield "digest", workflow["digest"]
    if workflow["timeout_s"] != _DAY_S:
        yield "timeout", render.duration(workflow["timeout_s"])
    yield "budget", ", ".join(f"{name} {render.amount(most)}" for name, most in workflow["budget"].items())
    if group := workflow["concurrency"]:
        yield "at a time", f"{group['limit']} of the group {group['group']}"
    for told in workflow["notify"]:
        yield "tells", f"{told['url']} ({', '.join(told['on'])})"


# --- inputs ----------------------------------------------------------------------------------

_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list"}


def _inputs(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for name, schema in workflow["inputs"].items():
        default = schema.get("default")
        given = "required" if name in workflow["required"] else ""
        if not given and default is not None:
            given = f"default {render.shortened(default, 40)}"
        yield name, given, input_text(schema), in_one_line(schema.get("description", ""))


def input_text(schema: Any) -> str:
    """Return in a few words what a JSON Schema asks for."""
    if not isinstance(schema, Mapping):
        return "anything"
    if isinstance(options := schema.get("enum"), list):
        return " or ".join(render.plain(option) for option in options)
    if schema.get("format") == "image":
        return "image"
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(_KINDS.get(str(each), str(each)) for each in kind)
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        items = input_text(schema["items"])
        several = f"{items}s" if items in ("image", "text", "number", "whole number", "object") else items
        return f"list of {several}{_bounds(schema)}"
    if kind == "object" and isinstance(schema.get("properties"), Mapping):
        return f"object with {', '.join(schema['properties'])}"
    return f"{_KINDS.get(str(kind), str(kind))}{_range(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    parts = [f"at least {least}" if least else "", f"at most {most}" if most else ""]
    told = ", ".join(filter(None, parts))
    return f" ({told})" if told else ""


def _range(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    parts = [f"from {least}" if least is not None else "", f"to {most}" if most is not None else ""]
    told = " ".join(filter(None, parts))
    return f" {told}" if told else ""


# --- steps -----------------------------------------------------------------------------------


def _steps(steps: Sequence[Mapping[str, Any]], *, is_utf8: bool) -> Iterator[Text]:
    """Yield the graph with a line for each step, or a line each without one where it would be too wide."""
    known = {step["id"]: step for step in steps}
    marks = {step["id"]: "○" for step in steps if step.get("if")}
    rows = step_graph.draw({id: step["needs"] for id, step in known.items()}, marks=marks)
    width = max(len(row.lanes) for row in rows)
    if width > GRAPH_WIDTH_MAX:
        rows, width = [step_graph.Row("", id) for id in known], 0
    names = max(len(id) for id in known)
    uses = max(len(render.plain(step["uses"])) for step in steps)
    for row in rows:
        lanes = row.lanes if is_utf8 else row.lanes.translate(step_graph.ASCII)
        line = Text(f"{lanes:<{width + 2}}" if width else "", style="cyan", no_wrap=True)
        if row.step is None:
            line.rstrip()
            yield line
            continue
        step = known[row.step]
        line.append(f"{row.step:<{names + 2}}", style="bold")
        line.append(f"{render.plain(step['uses']):<{uses + 2}}", style="default")
        line.append("; ".join(_notes(step, drawn=bool(width))), style="dim")
        line.rstrip()
        yield line


def _notes(step: Mapping[str, Any], *, drawn: bool) -> Iterator[str]:
    if step["needs"] and not drawn:
        yield f"after {', '.join(step['needs'])}"
    if step["for_each"]:
        few = (step.get("max_parallel") or PARALLEL_DEFAULT) < PARALLEL_DEFAULT
        yield f"for each, {step['max_parallel']} at a time" if few else "for each"
    if step.get("if"):
        yield f"if {render.shortened(step['if'], 60)}"


# --- what starts it --------------------------------------------------------------------------


def _triggers(triggers: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what starts runs besides people: kind, what exactly, and the next time where that is known."""
    webhook = triggers["webhook"]
    if webhook is not None:
        verified = f"verified by {webhook['scheme']}" if webhook["scheme"] else "from anybody"
        yield "webhook", f"POST {webhook['path']} {verified}", ""
    for schedule in triggers["schedules"]:
        missed = "; one run for what was missed" if schedule["missed"] == "run_once" else ""
        yield (
            "schedule",
            f"{schedule['cron']} {schedule['timezone']}{missed}",
            render.local(schedule["next_at"]),
        )
    for run in triggers["runs"]:
        yield "run", f"of {run['workflow']}: {', '.join(run['statuses'])}", ""
