"""The graph of steps: what each needs, in which order they can run, and where they go round in circles."""

from collections.abc import Iterator, Mapping

from orchestrator.definition.reading import StepDraft


def reads(step: StepDraft) -> frozenset[str]:
    """Return the ids that the expressions of *step* read, known or not."""
    ids = step.params.steps
    if step.for_each is not None:
        ids |= step.for_each.steps
    if step.condition is not None:
        ids |= step.condition.steps
    return ids


def needs(steps: Mapping[str, StepDraft]) -> dict[str, frozenset[str]]:
    """Return the direct needs of every step, inferred and explicit; unknown ids and itself left out."""
    return {id: (reads(step) | set(step.needs)) & steps.keys() - {id} for id, step in steps.items()}


def in_order(needed: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the ids so that each comes after all it needs; what is in a cycle or behind one is left out."""
    waiting = {id: len(ids) for id, ids in needed.items()}
    followers = _followers(needed)
    order: list[str] = []
    ready = [id for id, count in waiting.items() if not count]
    while ready:
        order += ready
        freed = []
        for id in ready:
            for follower in followers[id]:
                waiting[follower] -= 1
                if not waiting[follower]:
                    freed.append(follower)
        ready = freed
    return order


def _followers(needed: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    followers: dict[str, list[str]] = {id: [] for id in needed}
    for id, ids in needed.items():
        for need in ids:
            followers[need].append(id)
    return followers


def cycles(needed: Mapping[str, frozenset[str]]) -> Iterator[list[str]]:
    """Yield cycles until none is left, each with its first step again at the end; no step is in two."""
    left = dict(needed)
    while True:
        left = {id: ids & left.keys() for id, ids in left.items()}
        for id in in_order(left):
            del left[id]
        if not left:
            return
        cycle = _cycle(left)
        yield cycle
        for id in cycle[1:]:
            del left[id]


def _cycle(needed: Mapping[str, frozenset[str]]) -> list[str]:
    """Return a cycle of a graph in which no step can come first: everybody needs somebody in it."""
    path = [next(iter(needed))]
    while True:
        need = next(id for id in needed if id in needed[path[-1]])
        if need in path:
            return [*path[path.index(need) :], need]
        path.append(need)
