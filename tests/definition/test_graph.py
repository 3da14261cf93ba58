"""In which order steps can run, and where they wait for each other."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definition.graph import cycles, in_order

IDS = [f"s{n}" for n in range(7)]

GRAPHS = st.fixed_dictionaries({id: st.frozensets(st.sampled_from(IDS), max_size=3) for id in IDS}).map(
    lambda graph: {id: needs - {id} for id, needs in graph.items()}
)


@given(GRAPHS)
def test_each_step_comes_after_all_it_needs(graph: dict[str, frozenset[str]]) -> None:
    order = in_order(graph)

    assert len(order) == len(set(order))
    for at, id in enumerate(order):
        assert graph[id] <= set(order[:at])


@given(GRAPHS)
def test_there_is_a_cycle_exactly_when_no_order_holds_every_step(graph: dict[str, frozenset[str]]) -> None:
    found = list(cycles(graph))

    assert bool(found) == (len(in_order(graph)) < len(graph))
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(need in graph[id] for id, need in pairwise(cycle))


@given(GRAPHS)
def test_nothing_goes_round_once_a_step_of_each_cycle_is_taken_out(graph: dict[str, frozenset[str]]) -> None:
    broken = {id for cycle in cycles(graph) for id in cycle}

    rest = {id: needs - broken for id, needs in graph.items() if id not in broken}

    assert len(in_order(rest)) == len(rest)


def test_the_order_is_the_authors_where_nothing_else_decides() -> None:
    graph = {"b": frozenset({"a"}), "c": frozenset[str](), "a": frozenset[str](), "d": frozenset({"c", "b"})}

    assert in_order(graph) == ["c", "a", "b", "d"]
