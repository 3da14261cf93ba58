"""What is known of a value before there is one: JSON Schemas, walked by field and index."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from orchestrator.definition.expressions import Path, spelt
from orchestrator.definition.input_schemas import NAMES_OF_TYPES
from orchestrator.definition.report import Severity
from orchestrator.errors import ErrorClass
from orchestrator.wording import closest, did_you_mean, quoted

ANYTHING = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})

_REFERENCES_MAX = 20


@dataclass(frozen=True, slots=True)
class Branch:
    """
    One form that a value may have. *root* is where `$ref` points into.

    *closed*: a property that is not listed is not there, unless the schema says otherwise.
    *items*: of a list whose items were worked out and have no schema of their own.
    """

    schema: Mapping[str, Any]
    root: Mapping[str, Any]
    closed: bool = False
    items: "Type | None" = None

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types that it may have."""
        if "const" in self.schema:
            return frozenset({_kind_of(self.schema["const"])})
        if isinstance(options := self.schema.get("enum"), list):
            return frozenset(_kind_of(option) for option in options)
        given = self.schema.get("type")
        if isinstance(given, str):
            return frozenset({given})
        return frozenset(given) if isinstance(given, list) else ANYTHING


Type = tuple[Branch, ...]
"""Every form that a value may have; one without any word about it may be anything."""

UNKNOWN: Type = (Branch({}, {}),)

ARTIFACT: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "digest": {"type": "string"},
        "media_type": {"type": "string"},
        "size": {"type": "integer"},
        "width": {"type": ["integer", "null"]},
        "height": {"type": ["integer", "null"]},
        "name": {"type": ["string", "null"]},
        "source_url": {"type": ["string", "null"]},
        "href": {"type": "string"},
    },
    "required": ["digest"],
}
"""An artifact, as `steps.x.artifacts` holds it."""

ERROR: Mapping[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "class": {"enum": list(get_args(ErrorClass))},
        "code": {"type": ["string", "null"]},
        "message": {"type": "string"},
    },
}


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def typed(
    schema: Any, root: Mapping[str, Any] | None = None, *, closed: bool = False, depth: int = 0
) -> Type:
    """Return the forms that *schema* allows, with its references followed."""
    if not isinstance(schema, Mapping):
        return UNKNOWN
    root = schema if root is None else root
    if depth > _REFERENCES_MAX:
        return UNKNOWN
    if isinstance(schema.get("$ref"), str):
        inner = (root.get("$defs") or {}).get(schema["$ref"].removeprefix("#/$defs/"))
        return typed(inner, root, closed=closed, depth=depth + 1)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            marks = {"format": "image"} if schema.get("format") == "image" else {}
            return tuple(
                replace(branch, schema={**branch.schema, **marks})
                for form in schema[key]
                for branch in typed(form, root, closed=closed, depth=depth + 1)
            )
    if isinstance(parts := schema.get("allOf"), list):
        return typed(parts[0], root, closed=closed, depth=depth + 1) if len(parts) == 1 else UNKNOWN
    is_image = schema.get("format") == "image" and "string" in Branch(schema, root).kinds
    return (Branch(schema, root, closed), *(typed(ARTIFACT, closed=True) if is_image else ()))


def kinds(type: Type) -> frozenset[str]:
    """Return the JSON types that a value of *type* may have."""
    return frozenset().union(*(branch.kinds for branch in type))


def is_image(type: Type) -> bool:
    """Whether a value of *type* stands for an image."""
    return any(branch.schema.get("format") == "image" for branch in type)


def named(type: Type) -> str:
    """Say what a value of *type* is."""
    found = kinds(type)
    if is_image(type):
        return "an image"
    return " or ".join(text for name, text in NAMES_OF_TYPES.items() if name in found)


def may_be_null(type: Type) -> bool:
    """Whether null is named among what the value may be."""
    return any("null" in branch.kinds and branch.kinds != ANYTHING for branch in type)


def constants(type: Type) -> list[Any] | None:
    """Return the values that there are, when they can be counted."""
    found: list[Any] = []
    for branch in type:
        if "const" in branch.schema:
            found.append(branch.schema["const"])
        elif isinstance(options := branch.schema.get("enum"), list):
            found += options
        elif branch.kinds == {"null"}:
            found.append(None)
        else:
            return None
    return found


def list_of(items: Type) -> Type:
    """Return the type of a list of such items."""
    return (Branch({"type": "array"}, {}, items=items),)


def items_of(type: Type) -> Type:
    """Return the type of the items, of what is a list."""
    found: list[Branch] = []
    for branch in type:
        if "array" not in branch.kinds:
            continue
        if isinstance(value := branch.schema.get("const"), list):
            found += [Branch({"const": item}, {}) for item in value]
            continue
        schema = branch.schema.get("items")
        found += branch.items or typed(schema, branch.root, closed=branch.closed)
    return tuple(found) or UNKNOWN


# --- walking ---------------------------------------------------------------------------------


class Astray(Exception):
    """A path leads nowhere, for certain, or probably (*severity*)."""

    def __init__(self, message: str, hint: str | None = None, severity: Severity = "error") -> None:
        super().__init__(message)
        self.message, self.hint, self.severity = message, hint, severity


def step_into(type: Type, part: str | int | None, walked: Path) -> Type:
    """Return the type of a field or item of a value; *walked* is the path to it. Errors: Astray."""
    if isinstance(part, str):
        return _field(type, part, walked)
    if "array" in kinds(type):
        return items_of(type)
    if part is None and "object" in kinds(type):
        return UNKNOWN
    raise Astray(f"{spelt(walked)} is {named(type)}, so it has no items")


def _field(type: Type, name: str, walked: Path) -> Type:
    if "object" not in kinds(type):
        hint = None
        if "array" in kinds(type):
            hint = f"take one item, such as {spelt(walked)}[0], or | map(attribute='{name}')"
        raise Astray(f"{spelt(walked)} is {named(type)}, so it has no field {quoted(name)}", hint)
    found: list[Branch] = []
    known: list[str] = []
    is_open = False
    for branch in (b for b in type if "object" in b.kinds):
        properties = _properties(branch)
        rest = branch.schema.get("additionalProperties", not branch.closed or not properties)
        known += properties
        if name in properties:
            found += typed(properties[name], branch.root, closed=branch.closed)
        elif isinstance(rest, Mapping):
            found += typed(rest, branch.root, closed=branch.closed)
        else:
            is_open = is_open or bool(rest)
    if found:
        return tuple(found) if not is_open else UNKNOWN
    if not is_open:
        raise Astray(f"{spelt(walked)} has no field {quoted(name)}", did_you_mean(name, known))
    if meant := closest(name, known):
        raise Astray(
            f"{spelt(walked)} may have no field {quoted(name)}", f"did you mean '{meant}'?", "warning"
        )
    return UNKNOWN


def _properties(branch: Branch) -> Mapping[str, Any]:
    if isinstance(value := branch.schema.get("const"), dict):
        return {key: {"const": inner} for key, inner in value.items()}
    properties = branch.schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def property_names(type: Type) -> list[str] | None:
    """Return the names of the fields that there can be, or None when there can be others."""
    found: list[str] = []
    for branch in type:
        if "object" not in branch.kinds:
            continue
        if branch.schema.get("additionalProperties", True) is not False:
            return None
        found += _properties(branch)
    return found


def inside(type: Type, path: Iterable[str | int]) -> Type:
    """Return the type of what is at *path* of a value, as far as it is known."""
    walked: Path = ("",)
    for part in path:
        try:
            type = step_into(type, part, walked)
        except Astray:
            return UNKNOWN
    return type


def is_required(type: Type, name: str) -> bool:
    """Whether every object of *type* needs the field *name*."""
    objects = [branch for branch in type if "object" in branch.kinds]
    return bool(objects) and all(name in (branch.schema.get("required") or ()) for branch in objects)


# --- comparing -------------------------------------------------------------------------------

_TAKES_TOO = {
    "integer": {"number", "string", "boolean"},
    "number": {"integer", "string", "boolean"},
    "boolean": {"integer", "number", "string"},
}
"""What models read as the type named first: digits in a text are taken for a number, say."""


def can_be(given: Type, wanted: Type) -> bool:
    """Whether some value of the type *given* may be valid where *wanted* is asked for."""
    return any(_can_be(one, other) for one in given for other in wanted)


def _can_be(given: Branch, wanted: Branch) -> bool:
    takes = set(wanted.kinds)
    for name in wanted.kinds:
        takes |= _TAKES_TOO.get(name, set())
    shared = given.kinds & takes
    if shared != {"array"}:
        return bool(shared)
    least = max(int(b.schema.get("minItems") or 0) for b in (given, wanted))
    return not least or can_be(items_of((given,)), items_of((wanted,)))
