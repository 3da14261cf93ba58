"""A mapping in two layers is a dict, and so is every copy of it."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.layers import Layers

WRITES = st.lists(st.tuples(st.sampled_from(["set", "pop", "fork"]), st.integers(0, 60), st.integers(0, 2)))


@given(writes=WRITES, filled=st.integers(0, 120))
def test_it_is_a_dict_whatever_is_done_to_it(writes: list[tuple[str, int, int]], filled: int) -> None:
    layers: Layers[int, int] = Layers()
    plain: dict[int, int] = {}
    left: list[tuple[Layers[int, int], dict[int, int]]] = []
    for key in range(filled):
        layers[key] = plain[key] = key

    for verb, key, value in writes:
        if verb == "set":
            layers[key] = plain[key] = value
        elif verb == "pop":
            assert layers.pop(key, None) == plain.pop(key, None)
        else:
            left.append((layers, dict(plain)))
            layers = layers.fork()

    for each, expected in [*left, (layers, plain)]:
        assert each == expected
        assert len(each) == len(expected)
        assert bool(each) == bool(expected)
        assert all((key in each) == (key in expected) for key in range(130))


def test_it_keeps_the_order_in_which_keys_came() -> None:
    layers: Layers[str, int] = Layers()
    for n in range(100):
        layers[f"key {n}"] = n
    layers = layers.fork()
    layers["new"] = 100
    layers["key 7"] = 7
    del layers["key 3"]

    assert list(layers.values()) == [n for n in range(101) if n != 3]


def test_a_value_may_be_nothing() -> None:
    layers: Layers[str, None] = Layers()
    layers["open"] = None

    assert layers.fork()["open"] is None
    assert "closed" not in layers
