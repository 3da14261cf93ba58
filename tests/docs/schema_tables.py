"""Parameters and outputs as tables, from the JSON Schemas of their models."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tests.docs.markdown import code, codes, folded, sentence, table

Schema = Mapping[str, Any]

SHOWN_MAX = 12
"""A longer enumeration is folded away."""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_LARGE = 2**53


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter, or one inside another: `product.images`."""

    name: str
    is_required: bool
    schema: Schema
    forms: tuple[Schema, ...]


def parameters(model: type[BaseModel]) -> str:
    """Return a table of what an operation takes, its long enumerations below it."""
    rows = list(_rows(model))
    if not rows:
        return "No parameters."
    cells = [
        (
            code(row.name),
            "yes" if row.is_required else "",
            _values(row),
            _default(row.schema),
            str(row.schema.get("description", "")),
        )
        for row in rows
    ]
    long = [
        folded(f"All {len(values)} values of <code>{row.name}</code>", codes(values))
        for row in rows
        if len(values := _enumerated(row)) > SHOWN_MAX
    ]
    columns = ("parameter", "needed", "values", "default", "")
    return "\n\n".join([table(columns, cells), *dict.fromkeys(long)])


def output(model: type[BaseModel]) -> str:
    """Return a sentence and a table of what an operation gives."""
    cells = [(code(row.name), "always" if row.is_required else "", _values(row)) for row in _rows(model)]
    return f"{sentence(model.__doc__)}\n\n{table(('field of `output`', '', 'values'), cells)}"


def _rows(model: type[BaseModel]) -> Iterator[Row]:
    schema = model.model_json_schema()
    yield from _inside(schema, schema.get("$defs", {}), "")


def _inside(schema: Schema, defs: Mapping[str, Schema], prefix: str) -> Iterator[Row]:
    """Yield the properties of an object, each followed by those inside it."""
    for name, given in schema.get("properties", {}).items():
        forms = tuple(_forms(given, defs))
        yield Row(f"{prefix}{name}", name in schema.get("required", ()), given, forms)
        for form in forms:
            is_list = form.get("type") == "array"
            inner = next(_forms(form.get("items", {}), defs)) if is_list else form
            yield from _inside(inner, defs, f"{prefix}{name}{'[]' if is_list else ''}.")


def _forms(schema: Schema, defs: Mapping[str, Schema]) -> Iterator[Schema]:
    """Yield the forms that a value may have, null left out: that is what not giving it means."""
    if "$ref" in schema:
        yield from _forms(defs[schema["$ref"].rpartition("/")[2]], defs)
    elif schema.get("format") == "image" or not (several := schema.get("anyOf") or schema.get("oneOf")):
        yield schema if "items" not in schema else {**schema, "items": next(_forms(schema["items"], defs))}
    else:
        for form in several:
            if form.get("type") != "null":
                yield from _forms(form, defs)


def _enumerated(row: Row) -> list[Any]:
    for form in row.forms:
        values = form.get("enum") or form.get("items", {}).get("enum")
        if values:
            return list(values)
    return []


def _values(row: Row) -> str:
    return " or ".join(dict.fromkeys(_type(form) for form in row.forms)) or "anything"


def _type(form: Schema) -> str:
    if form.get("format") == "image":
        return "image"
    if "const" in form:
        return code(form["const"])
    if "enum" in form:
        values = form["enum"]
        return codes(values) if len(values) <= SHOWN_MAX else f"one of {len(values)}, see below"
    if form.get("type") == "array":
        return f"list of {_type(form.get('items', {}))}{_bounds(form, 'Items', 'items')}"
    if form.get("format") == "uuid":
        return "UUID"
    if form.get("type") == "object":
        return f"object{_bounds(form, 'Properties', 'entries')}"
    name = _TYPES.get(str(form.get("type")), "anything")
    return f"{name}{_bounds(form, 'Length', 'characters')}{_range(form)}"


def _bounds(form: Schema, of: str, noun: str) -> str:
    least, most = form.get(f"min{of}"), form.get(f"max{of}")
    # That a text or list is not empty goes without saying.
    parts = [f"at least {least:,}" if least and least > 1 else "", f"at most {most:,}" if most else ""]
    told = " and ".join(filter(None, parts))
    return f" ({told} {noun})" if told else ""


def _range(form: Schema) -> str:
    least, most = form.get("minimum"), form.get("maximum")
    parts = [
        f"from {least}" if least is not None and abs(least) < _LARGE else "",
        f"to {most}" if most is not None and abs(most) < _LARGE else "",
    ]
    told = " ".join(filter(None, parts))
    return f" {told}" if told else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value == "":
        return ""
    return code(value if isinstance(value, str) else json.dumps(value))
