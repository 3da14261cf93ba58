"""How expressions reach into values: items of objects and lists, never attributes of Python objects."""

from typing import Any, NoReturn

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import UndefinedError
from jinja2.utils import missing

from orchestrator.definition.json_values import kind
from orchestrator.wording import closest, listed, quoted


class Missing(UndefinedError):
    """Something was used that is not there: *key* of *holder*."""

    def __init__(self, holder: Any, key: Any, reason: str | None) -> None:
        super().__init__(reason or "something is not there")
        self.holder, self.key, self.reason = holder, key, reason


class Absent(StrictUndefined):
    """Stands for what is not there. It can be given a default or tested for; any other use is an error."""

    __slots__ = ()

    def _fail(self, *given: Any, **named: Any) -> NoReturn:
        raise Missing(self._undefined_obj, self._undefined_name, self._undefined_hint)

    __iter__ = __str__ = __len__ = __bool__ = __hash__ = _fail
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _fail
    __contains__ = __getitem__ = __call__ = _fail


def look_up(holder: Any, key: Any) -> Any:
    """Return the item *key* of an object or a list, or an `Absent` that knows what was looked for."""
    if isinstance(holder, Undefined):
        # a.b.c | default('x') works when b is missing already; the first hole is the one to be told of.
        return holder
    if isinstance(holder, dict):
        if isinstance(key, str) and key in holder:
            return holder[key]
    elif isinstance(holder, list) and _is_index(key, holder):
        return holder[key]
    return Absent(obj=holder, name=key)


def _is_index(key: Any, holder: list[Any]) -> bool:
    return isinstance(key, int) and not isinstance(key, bool) and -len(holder) <= key < len(holder)


def follow(holder: Any, path: str) -> Any:
    """Return what is at a dotted *path* such as `result.0.url`."""
    for part in path.split("."):
        index = isinstance(holder, list) and part.isdecimal()
        holder = look_up(holder, int(part[:9]) if index else part)
    return holder


def complaint(absence: Missing, place: str | None) -> str:
    """Say what is not there; *place* is how the expression names the holder, where that is known."""
    holder, key = absence.holder, absence.key
    if absence.reason is not None:
        return absence.reason
    if holder is missing:
        return f"there is no '{key}' here"
    named = place or f"the value, {kind(holder)},"
    if isinstance(holder, dict):
        return f"{named} has no field {quoted(str(key))} ({_fields(holder, str(key))})"
    if isinstance(holder, list) and isinstance(key, int):
        return f"{named} has {len(holder)} items, there is no [{key}]"
    if isinstance(holder, list):
        return f"{named} is a list and has no field {quoted(str(key))}: take one item, such as [0]"
    return f"{place or 'the value'} is {kind(holder)} and has no field {quoted(str(key))}"


def _fields(holder: dict[str, Any], key: str) -> str:
    if not holder:
        return "it is empty"
    meant = closest(key, holder)
    hint = f"; did you mean '{meant}'?" if meant else ""
    return f"it has {listed(holder)}{hint}"
