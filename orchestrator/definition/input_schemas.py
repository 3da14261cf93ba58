"""The JSON Schemas of a workflow's inputs: read, checked, and applied to values."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

from orchestrator.definition import elsewhere
from orchestrator.definition.json_values import kind
from orchestrator.definition.report import Report
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import closest, did_you_mean, either, quoted, said, shown

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")

NAMES_OF_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

FORMATS = (
    "image", "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname",
    "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer",
    "relative-json-pointer", "regex",
)  # fmt: skip

_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS = (
    "items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_KEYWORDS = frozenset(
    (
        *_SCHEMA_MAPS, *_SCHEMA_LISTS, *_SCHEMAS,
        "type", "enum", "const", "default", "title", "description", "examples", "format", "pattern",
        "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "required", "minProperties",
        "maxProperties", "dependentRequired", "deprecated", "readOnly", "writeOnly", "contentEncoding",
        "contentMediaType", "contentSchema", "$ref", "$comment", "$schema", "$id", "$anchor",
    )
)  # fmt: skip

_LOCAL = re.compile(r"#/\$defs/([^/~%]+)")
_IMAGE = re.compile(r"https?://[^\s/]|data:[^,]*,|artifact:sha256:[0-9a-f]{64}$", re.IGNORECASE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MESSAGE_MAX = 300


# --- applying --------------------------------------------------------------------------------


def is_image(value: Any) -> bool:
    """Whether *value* can stand for an image: URL, data URI, `artifact:sha256:…`, or an artifact object."""
    if isinstance(value, dict):
        return isinstance(digest := value.get("digest"), str) and _DIGEST.fullmatch(digest) is not None
    return isinstance(value, str) and _IMAGE.match(value) is not None


def _format(validator: Any, name: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if name != "image":
        yield from Draft202012Validator.VALIDATORS["format"](validator, name, instance, schema)
    elif isinstance(instance, str | dict) and not is_image(instance):
        yield ValidationError(
            "must be an image: an http(s) URL, a data URI or an artifact (artifact:sha256:…)"
        )


def _type(validator: Any, types: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    # An artifact is an object; wherever a text with the format `image` may stand, it may stand too.
    if schema.get("format") == "image" and isinstance(instance, dict):
        return
    wanted = [types] if isinstance(types, str) else types
    if not any(validator.is_type(instance, name) for name in wanted):
        names = " or ".join(NAMES_OF_TYPES.get(name, name) for name in wanted)
        yield ValidationError(f"must be {names}, not {kind(instance)}")


def _enum(validator: Any, options: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if next(Draft202012Validator.VALIDATORS["enum"](validator, options, instance, schema), None) is None:
        return
    names = [str(option) for option in options]
    meant = closest(instance, names) if isinstance(instance, str) else None
    hint = f"did you mean '{meant}'?" if meant else None
    yield ValidationError(said(f"must be {either(names)}, not {shown(instance)}", hint))


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"format": _format, "type": _type, "enum": _enum}
)


def complaints(schema: Mapping[str, Any], value: Any) -> list[tuple[Path, str]]:
    """Return everything wrong with *value*: (where inside it, what)."""
    validator = _Validator(dict(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    try:
        errors = sorted(validator.iter_errors(value), key=lambda error: [str(p) for p in error.absolute_path])
    except RecursionError:
        return [((), "is nested too deeply")]
    except Unresolvable as error:
        return [((), f"cannot be checked: {error}")]
    return [(tuple(error.absolute_path), _in_our_words(error)) for error in errors]


_LEASTS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}
_COUNTS = {
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minProperties": ("at least", "field"),
    "maxProperties": ("at most", "field"),
}


def _in_our_words(error: ValidationError) -> str:
    if error.message.startswith("must "):
        return error.message
    limit: Any = error.validator_value
    instance: Any = error.instance
    given = shown(instance)
    match error.validator:
        case str(key) if key in _LEASTS:
            return f"must be {_LEASTS[key]} {limit}, not {given}"
        case str(key) if key in _COUNTS:
            bound, noun = _COUNTS[key]
            return f"must have {bound} {limit} {noun}{'s' * (limit != 1)}, not {len(instance)}"
        case "type":
            names = [limit] if isinstance(limit, str) else limit
            wanted = " or ".join(NAMES_OF_TYPES.get(name, name) for name in names)
            return f"must be {wanted}, not {kind(instance)}"
        case "enum":
            return f"must be {either([shown(option) for option in limit])}, not {given}"
        case "pattern":
            return f"must have the form {limit}, not {given}"
        case "format" if "'" in error.message:
            return f"must be a text of the format '{limit}', not {given}"
        case "const":
            return f"must be {shown(limit)}, not {given}"
        case "required":
            missing = [name for name in limit if name not in instance]
            return f"needs the field{'s' * (len(missing) > 1)} {' and '.join(map(quoted, missing))}"
        case "additionalProperties" if limit is False:
            schema: Any = error.schema
            known = schema.get("properties", {})
            surplus = [name for name in instance if name not in known]
            return said(f"has no field {quoted(surplus[0])}", did_you_mean(surplus[0], known))
        case "uniqueItems":
            return "must not hold the same item twice"
        case "anyOf" | "oneOf" if error.context:
            return "matches none of the forms that are allowed"
    message = error.message
    return message if len(message) <= _MESSAGE_MAX else f"{message[:_MESSAGE_MAX]}…"


# --- checking --------------------------------------------------------------------------------


def read_inputs(
    schemas: Mapping[str, Any], report: Report
) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    """Return the schemas without our own `required: false`, and which inputs have to be given."""
    inputs: dict[str, dict[str, Any]] = {}
    required = set()
    for name, schema in schemas.items():
        path = ("inputs", name)
        if not isinstance(schema, dict):
            hint = "write {} for an input that may be anything"
            meant = elsewhere.TYPES.get(schema, schema) if isinstance(schema, str) else None
            hint = f"write {{type: {meant}}}" if meant in TYPES else hint
            report.at_value(path, f"an input is a JSON Schema, not {kind(schema)}", hint)
            schema = {}
        if _is_required(schema, path, report):
            required.add(name)
        # A list is JSON Schema's own `required`: the properties that an object must have.
        schema = {k: v for k, v in schema.items() if k != "required" or isinstance(v, list)}
        known_errors = report.errors
        _check(schema, path, report)
        # What reads the schema later can rely on its being one.
        inputs[name] = schema if report.errors == known_errors else {}
    return inputs, frozenset(required)


def _is_required(schema: Mapping[str, Any], path: Path, report: Report) -> bool:
    required = schema.get("required")
    if "required" in schema and not isinstance(required, bool | list):
        report.at_value((*path, "required"), f"'required' is true or false, not {kind(required)}")
    if required is True and "default" in schema:
        report.at_value((*path, "required"), "an input with a default does not have to be given")
    return "default" not in schema and required is not False


def _check(schema: dict[str, Any], path: Path, report: Report) -> None:
    known_errors = report.errors
    told = set[Path]()
    for inner, part in _subschemas(schema, path):
        told |= {*_check_types(part, inner, report), *_check_pattern(part, inner, report)}
        _check_keywords(part, inner, report)
        _check_reference(part, inner, schema, report)
    for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema):
        at = (*path, *error.absolute_path)
        if not any(at[: len(place)] == place for place in told):
            report.at_value(at, f"no valid JSON Schema: {_in_our_words(error)}")
    if "default" in schema and report.errors == known_errors:
        for inner, message in complaints(schema, schema["default"]):
            report.at_value((*path, "default", *inner), f"the default {message}")


def _subschemas(schema: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield *schema* and every schema inside it, with their paths."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, value in schema.items():
        if key in _SCHEMAS:
            yield from _subschemas(value, (*path, key))
        elif key in _SCHEMA_MAPS and isinstance(value, dict):
            for name, inner in value.items():
                yield from _subschemas(inner, (*path, key, name))
        elif key in _SCHEMA_LISTS and isinstance(value, list):
            for index, inner in enumerate(value):
                yield from _subschemas(inner, (*path, key, index))


def _check_types(schema: dict[str, Any], path: Path, report: Report) -> Iterator[Path]:
    given = schema.get("type")
    many = isinstance(given, list)
    for index, name in enumerate(given if isinstance(given, list) else [given]):
        if "type" in schema and name not in TYPES:
            place = (*path, "type", index) if many else (*path, "type")
            given_name = quoted(name) if isinstance(name, str) else kind(name)
            hint = (
                f"write {elsewhere.TYPES[str(name)]}"
                if str(name) in elsewhere.TYPES
                else did_you_mean(str(name), TYPES)
            )
            report.at_value(place, f"unknown type {given_name}", hint)
            yield (*path, "type")


def _check_pattern(schema: dict[str, Any], path: Path, report: Report) -> Iterator[Path]:
    if isinstance(pattern := schema.get("pattern"), str):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            report.at_value((*path, "pattern"), f"no valid regular expression: {error}")
            yield (*path, "pattern")


def _check_keywords(schema: dict[str, Any], path: Path, report: Report) -> None:
    for key in schema:
        if key not in _KEYWORDS:
            hint = did_you_mean(key, _KEYWORDS) if closest(key, _KEYWORDS) else None
            message = f"JSON Schema knows no {quoted(key)}; it has no effect"
            report.at_key((*path, key), message, hint, "warning")
    if isinstance(name := schema.get("format"), str) and name not in FORMATS:
        hint = did_you_mean(name, FORMATS) if closest(name, FORMATS) else "images have the format 'image'"
        message = f"JSON Schema knows no format {quoted(name)}; it has no effect"
        report.at_value((*path, "format"), message, hint, "warning")
    if isinstance(default := schema.get("default"), str) and "${{" in default:
        report.at_value((*path, "default"), "expressions are not evaluated in a default")


def _check_reference(schema: dict[str, Any], path: Path, top: dict[str, Any], report: Report) -> None:
    for key in ("$ref", "$dynamicRef", "$id"):
        if key not in schema:
            continue
        local = _LOCAL.fullmatch(str(schema[key])) if key == "$ref" else None
        if local is None or not isinstance(top.get("$defs"), dict) or local[1] not in top["$defs"]:
            hint = "write #/$defs/<name> for a schema in the input's own $defs"
            report.at_value((*path, key), f"'{key}' can only point into the input itself", hint)
