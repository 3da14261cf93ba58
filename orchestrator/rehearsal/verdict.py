"""Holds what came of a case against what was expected."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.definition.workflow import Workflow
from orchestrator.errors import InvalidValue
from orchestrator.rehearsal.cases import Case
from orchestrator.rehearsal.matching import Difference, differences, text_of
from orchestrator.rehearsal.stage import Object, Performance


@dataclass(frozen=True, slots=True)
class Result:
    """A case, what came of it, and in what that is not as expected; none: it passed."""

    case: Case
    performance: Performance
    differences: Sequence[Difference]

    @property
    def passed(self) -> bool:
        return not self.differences


def judge(case: Case, workflow: Workflow, came: Performance) -> Result:
    """Return in what *came* is not what *case* expects."""
    return Result(case, came, list(_differences(case, workflow, came)))


def _differences(case: Case, workflow: Workflow, came: Performance) -> Iterator[Difference]:
    expect = case.expect
    if came.broke is not None:
        yield Difference("run", expect.status, came.broke)
        return
    status = "refused" if came.run is None else came.run["status"]
    error = _refusal(came.refusal or {}) if came.run is None else came.run["error"]
    if status != expect.status:
        yield Difference("status", expect.status, f"{status}{_because(error)}{_asked(came)}")
    if expect.error is not None:
        yield from differences(expect.error, error, "error")
    if came.run is None:
        return
    yield from differences(expect.outputs, came.run["outputs"] or {}, "outputs")
    for name, wanted in expect.steps.items():
        yield from _step(wanted, [step for step in came.run["steps"] if step["id"] == name], f"steps.{name}")
    if expect.credits is not None:
        yield from _complete(expect.credits, came.run["credits"], "credits")
    if expect.providers is not None:
        yield from _providers(expect.providers, came.books)
    yield from _events(expect.events, came.events)
    yield from _that(case, workflow, came.run)
    yield from _paid_twice(came.books)


def _refusal(problem: Object) -> Object:
    found = [f"{each['location']}: {each['message']}" for each in problem.get("errors") or ()]
    message = "; ".join(found) or str(problem.get("detail"))
    return {"class": "invalid_input", "code": None, "message": message}


def _because(error: Object | None) -> str:
    if not error:
        return ""
    return f" ({error['class']}{' ' + error['code'] if error.get('code') else ''}: {error['message']})"


def _asked(came: Performance) -> str:
    if not came.unanswered:
        return ""
    return f"; no decision is given for {', '.join(sorted(set(came.unanswered)))}"


def _step(wanted: Any, instances: Sequence[Object], at: str) -> Iterator[Difference]:
    """Compare a step: a status that all its instances have, theirs in order, or an object."""
    statuses = [instance["status"] for instance in instances]
    whole = statuses[0] if len(set(statuses)) == 1 else statuses
    if isinstance(wanted, str):
        errors = [instance["error"] for instance in instances if instance["error"]]
        if whole != wanted:
            found = text_of(whole) + (_because(errors[0]) if errors else "")
            yield Difference(at, wanted, found)
        return
    if isinstance(wanted, list):
        yield from differences(wanted, statuses, at)
        return
    yield from differences(wanted, _whole(instances, whole), at)


def _whole(instances: Sequence[Object], status: Any) -> Object:
    """Return a step as expectations speak of it."""
    is_list = any(instance["index"] is not None for instance in instances)
    first = instances[0]
    return {
        "status": status,
        "attempts": max((instance["attempt"] or 0) for instance in instances),
        "count": sum(instance["index"] is not None for instance in instances) if is_list else 1,
        "error": next((instance["error"] for instance in instances if instance["error"]), None),
        "output": [instance["output"] for instance in instances] if is_list else first["output"],
        "artifacts": [artifact for instance in instances for artifact in instance["artifacts"]],
    }


def _complete(wanted: Mapping[str, Any], found: Mapping[str, Any], at: str) -> Iterator[Difference]:
    """Compare amounts by name; a name that is missing on one side counts as 0 there."""
    for name in {**wanted, **found}:
        yield from differences(wanted.get(name, 0), found.get(name, 0), f"{at}.{name}")


def _providers(wanted: Mapping[str, Any], books: Mapping[str, Object]) -> Iterator[Difference]:
    for kind in {**wanted, **books}:
        found = books.get(kind, {"tasks": 0, "charged": 0})
        yield from differences(wanted.get(kind, {"tasks": 0}), found, f"providers.{kind}")


def _events(wanted: Mapping[str, Any], events: Sequence[Object]) -> Iterator[Difference]:
    counts = Counter(str(event["type"]).removeprefix("orchestrator.") for event in events)
    for pattern, amount in wanted.items():
        count = sum(n for name, n in counts.items() if fnmatchcase(name, pattern))
        yield from differences(amount, count, f"events.{pattern}")


def _that(case: Case, workflow: Workflow, run: Object) -> Iterator[Difference]:
    scope = {
        "inputs": run["inputs"] or {},
        "outputs": run["outputs"] or {},
        "run": {key: run[key] for key in ("id", "status", "labels", "created_at", "error", "credits")},
        "steps": {id: _seen(run, id) for id in workflow.steps},
    }
    for condition in case.expect.that:
        source = condition.expression.source.strip()
        try:
            if not condition.holds(scope, {}):
                values = [_value(reference.path, scope) for reference in condition.expression.references]
                yield Difference("that", source, ", ".join(dict.fromkeys(filter(None, values))) or "false")
        except InvalidValue as error:
            yield Difference("that", source, str(error))


def _seen(run: Object, step: str) -> Object:
    """Return a step as expressions see it."""
    instances = [each for each in run["steps"] if each["id"] == step]
    statuses = [instance["status"] for instance in instances]
    whole = _whole(instances, statuses[0] if len(set(statuses)) == 1 else statuses)
    return {key: whole[key] for key in ("status", "output", "artifacts", "error")}


def _value(path: tuple[str | int | None, ...], scope: Mapping[str, Any]) -> str | None:
    """Return what stands at *path*, with its name."""
    at: Any = scope
    for part in path:
        try:
            at = at[part]
        except (LookupError, TypeError):
            return None
    name = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in path)[1:]
    return f"{name} is {text_of(at)}"


def _paid_twice(books: Mapping[str, Object]) -> Iterator[Difference]:
    """Whatever is expected, one submit must not have become two tasks."""
    for kind, book in books.items():
        for mark, ids in book["repeated"].items():
            yield Difference(f"providers.{kind}", "each submit accepted once", f"{mark} is {', '.join(ids)}")
