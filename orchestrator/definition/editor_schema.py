"""
A JSON Schema of the whole file, for editors: they complete keys and values, and show what each one means.

It knows less than the loader (no types of expressions, no rules across fields), so whatever the loader
takes it takes too; where it is stricter, as with a number written as a text, the loader converts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from orchestrator.definition.catalog import Catalog, OperationSpec, Secrets
from orchestrator.definition.editor_texts import FIELDS
from orchestrator.definition.input_schemas import FORMATS, TYPES
from orchestrator.definition.reading import ATTEMPTS_MAX, DEFERRED, HTTP, PARALLEL_MAX
from orchestrator.definition.triggers import CRON_ALIASES, MISSED, SCHEMES
from orchestrator.definition.workflow import EndStatus, OnUncertain
from orchestrator.errors import ErrorClass

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

EXPRESSION = {"$ref": "#/$defs/expression"}
_DURATION = {"$ref": "#/$defs/duration"}
_IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def editor_schema(catalog: Catalog, secrets: Secrets | None = None) -> Schema:
    """Return the JSON Schema of a workflow that uses the connections of *catalog*."""
    names = list(secrets) if secrets else None
    return {
        "$schema": DIALECT,
        "title": "Workflow",
        "description": FIELDS["workflow"],
        **_map(
            "workflow",
            {
                "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,99}$"},
                "description": {"type": "string"},
                "inputs": _named({"$ref": "#/$defs/input"}),
                "defaults": _map(
                    "defaults",
                    {"timeout": _DURATION, "retry": {"$ref": "#/$defs/retry"}, "on_uncertain": _uncertain()},
                ),
                "timeout": _DURATION,
                "budget": _budget(catalog),
                "concurrency": _map(
                    "concurrency",
                    {"group": {"type": ["string", "number", "boolean"]}, "limit": _whole(1, 10_000)},
                    required=["group"],
                ),
                "triggers": _triggers(names),
                "notify": _one_or_more({"anyOf": [_url(), _notify(names)]}),
                "steps": _named({"$ref": "#/$defs/step"}, least=1),
                "outputs": _named(True),
            },
            required=["name", "steps"],
        ),
        "$defs": {
            "expression": _described("expression", {"type": "string", "pattern": r"\$\{\{[\s\S]*\}\}"}),
            "duration": _described("duration", {"type": "string", "pattern": _LENGTH_OF_TIME}),
            "input": _input(),
            "retry": _retry(),
            "step": _step(catalog),
            **_operations(catalog),
        },
    }


_LENGTH_OF_TIME = (
    r"^\s*(?:P[0-9.WDTHMS]+|(?=[0-9])(?:[0-9.]+d)?(?:[0-9.]+h)?(?:[0-9.]+m)?(?:[0-9.]+s)?(?:[0-9.]+ms)?)\s*$"
)


def _described(name: str, schema: Schema) -> Schema:
    return {"description": FIELDS[name], **schema}


def _map(of: str, properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """Return the schema of a map of ours, each key with its meaning."""
    return {
        "type": "object",
        "properties": {
            key: {**schema, "description": FIELDS[f"{of}.{key}"]} for key, schema in properties.items()
        },
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def _named(schema: Schema | bool, least: int = 0) -> Schema:
    """Return the schema of a map of names that the author chooses."""
    return {
        "type": "object",
        "propertyNames": {"pattern": _IDENTIFIER},
        "additionalProperties": schema,
        **({"minProperties": least} if least else {}),
    }


def _one_or_more(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _url() -> Schema:
    return {"type": "string", "pattern": "^https?://"}


# --- what holds for every run ----------------------------------------------------------------


def _budget(catalog: Catalog) -> Schema:
    paid = [name for name, one in catalog.items() if any(op.costs for op in one.operations.values())]
    credits = {"type": "number", "exclusiveMinimum": 0}
    return {
        "type": "object",
        "properties": {name: {**credits, "description": f"Credits of '{name}'."} for name in paid},
        "additionalProperties": False,
    }


def _secret(names: Sequence[str] | None) -> Schema:
    return {"type": "string"} if names is None else {"enum": list(names)}


def _notify(secrets: Sequence[str] | None) -> Schema:
    statuses = {"type": "array", "items": {"enum": list(get_args(EndStatus))}, "minItems": 1}
    return _map("notify", {"url": _url(), "secret": _secret(secrets), "on": statuses}, required=["url"])


def _triggers(secrets: Sequence[str] | None) -> Schema:
    verify = _map(
        "verify",
        {"scheme": {"enum": list(SCHEMES)}, "secret": _secret(secrets), "header": {"type": "string"}},
        required=["scheme", "secret"],
    )
    webhook = _map("webhook", {"verify": verify, "dedupe": {}, "inputs": _named(True)})
    cron = {"type": "string", "examples": ["0 6 * * 1-5", *CRON_ALIASES]}
    schedule = _map(
        "schedule",
        {"cron": cron, "timezone": {"type": "string"}, "missed": {"enum": list(MISSED)}},
        required=["cron"],
    )
    statuses = {"type": "array", "items": {"enum": list(get_args(EndStatus))}, "minItems": 1}
    run = _map(
        "run",
        {"workflow": {"type": "string"}, "status": statuses, "inputs": _named(True)},
        required=["workflow"],
    )
    return _map(
        "triggers",
        {
            "webhook": {"anyOf": [webhook, {"type": "null"}]},
            "schedule": _one_or_more(schedule),
            "run": _one_or_more(run),
        },
    )


def _uncertain() -> Schema:
    return {"enum": list(get_args(OnUncertain))}


def _retry() -> Schema:
    return _described(
        "retry",
        _map(
            "retry",
            {
                "attempts": _whole(1, ATTEMPTS_MAX),
                "backoff": _DURATION,
                "max_backoff": _DURATION,
                "on": {"type": "array", "items": {"enum": list(get_args(ErrorClass))}},
            },
        ),
    )


# --- inputs ----------------------------------------------------------------------------------


def _input() -> Schema:
    """Return the schema of an input: a JSON Schema, and our own `required: false`."""
    again = {"$ref": "#/$defs/input"}
    several = {"type": "object", "additionalProperties": {"anyOf": [again, {"type": "boolean"}]}}
    count = {"type": "integer", "minimum": 0}
    properties: dict[str, Schema] = {
        "type": {"anyOf": [{"enum": list(TYPES)}, {"type": "array", "items": {"enum": list(TYPES)}}]},
        "format": {"type": "string", "examples": list(FORMATS)},
        "enum": {"type": "array"},
        "default": {},
        "required": {"type": ["boolean", "array"]},
        "description": {"type": "string"},
        "items": {"anyOf": [again, {"type": "boolean"}]},
        "properties": several,
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "pattern": {"type": "string"},
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), count),
    }
    schema = _map("input", properties)
    return _described("input", {**schema, "additionalProperties": True})


# --- steps -----------------------------------------------------------------------------------


def _step(catalog: Catalog) -> Schema:
    schema = _map(
        "step",
        {
            "uses": {"anyOf": [_named_operation(uses, spec) for uses, spec in _every(catalog)]},
            "with": {"type": ["object", "string", "null"]},
            "needs": {"type": "array", "items": {"type": "string"}},
            "if": {"type": ["string", "boolean"]},
            "for_each": {"anyOf": [{"type": "array", "maxItems": PARALLEL_MAX}, EXPRESSION]},
            "max_parallel": _whole(1, PARALLEL_MAX),
            "retry": {"$ref": "#/$defs/retry"},
            "timeout": _DURATION,
            "continue_on_error": {"type": "boolean"},
            "fail_fast": {"type": "boolean"},
            "on_uncertain": _uncertain(),
        },
        required=["uses"],
    )
    return {**schema, "allOf": [_given(uses, spec) for uses, spec in _every(catalog)]}


def _every(catalog: Catalog) -> list[tuple[str, OperationSpec]]:
    return [
        (f"{name}/{operation}", spec)
        for name, connection in catalog.items()
        for operation, spec in connection.operations.items()
    ]


def _named_operation(uses: str, spec: OperationSpec) -> Schema:
    return {"const": uses, "description": spec.summary}


def _given(uses: str, spec: OperationSpec) -> Schema:
    """Return what the parameters of a step have to be if it uses that operation."""
    wanted: Schema = {"properties": {"with": {"$ref": f"#/$defs/{_key(uses)}"}}}
    if spec.params_schema.get("required"):
        wanted["required"] = ["with"]
    return {"if": {"properties": {"uses": {"const": uses}}, "required": ["uses"]}, "then": wanted}


def _key(uses: str) -> str:
    return f"with.{uses.replace('/', '.')}"


def _operations(catalog: Catalog) -> dict[str, Schema]:
    """Return the schemas of all parameters, and of what they refer to, by the name of the operation."""
    found: dict[str, Schema] = {}
    for uses, spec in _every(catalog):
        key = _key(uses)
        schema = {name: value for name, value in spec.params_schema.items() if name != "$defs"}
        params = _open(schema, key)
        if uses == "/".join(HTTP):
            params["properties"] |= {name: {"description": FIELDS[f"http.{name}"]} for name in DEFERRED}
        params["description"] = spec.summary
        wants_none = not schema.get("required")
        found[key] = {"anyOf": [params, EXPRESSION, *([{"type": "null"}] if wants_none else [])]}
        for name, inner in spec.params_schema.get("$defs", {}).items():
            found[f"{key}.{name}"] = _open(inner, key)
    return found


def _open(schema: Any, key: str) -> Any:
    """Return a schema in which every value may be an expression; *key* stands before its `$defs`."""
    if not isinstance(schema, Mapping):
        return schema
    opened: Schema = {}
    for name, value in schema.items():
        if name == "$ref":
            opened[name] = f"#/$defs/{key}.{value.rpartition('/')[2]}"
        elif name == "properties":
            opened[name] = {field: _or_expression(inner, key) for field, inner in value.items()}
        elif name in ("items", "additionalProperties") and isinstance(value, Mapping):
            opened[name] = _or_expression(value, key)
        elif name in ("anyOf", "oneOf", "allOf"):
            opened["anyOf" if name == "oneOf" else name] = [_open(form, key) for form in value]
        elif name not in ("title", "discriminator"):
            opened[name] = value
    return opened


def _or_expression(schema: Mapping[str, Any], key: str) -> Schema:
    opened = _open(schema, key)
    told = {name: opened.pop(name) for name in ("description", "default", "examples") if name in opened}
    forms = opened["anyOf"] if set(opened) <= {"anyOf", "format"} and "anyOf" in opened else [opened]
    return {**told, "anyOf": [*forms, EXPRESSION]} if opened else told
