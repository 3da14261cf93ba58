"""What people write who know other systems, and what to write instead."""

import re

TOP_KEYS = {
    "on": "what starts runs is below 'triggers'",
    "jobs": "a workflow has 'steps', which run at the same time unless one needs another",
    "tasks": "write 'steps'",
    "env": "workflows see no environment variables; pass an 'input'",
    "secrets": "connections hold credentials; other secrets are in the settings",
    "params": "write 'inputs'",
    "parameters": "write 'inputs'",
    "vars": "write 'inputs', each with a default",
    "schedule": "write it below 'triggers'",
    "webhook": "write it below 'triggers'",
    "retry": "write it below 'defaults', or in a step",
    "version": "leave it out",
    "id": "write 'name'",
}

STEP_KEYS = {
    "id": "the key above is the id of the step",
    "name": "the key above is the name of the step",
    "run": "there are no shell commands; a step uses an operation of a connection",
    "strategy": "write for_each: […]",
    "matrix": "write for_each: […]",
    "foreach": "write for_each: […]",
    "loop": "write for_each: […]",
    "with_items": "write for_each: […]",
    "params": "write 'with'",
    "parameters": "write 'with'",
    "args": "write 'with'",
    "arguments": "write 'with'",
    "inputs": "write 'with'",
    "input": "write 'with'",
    "depends_on": "write 'needs'",
    "after": "write 'needs'",
    "when": "write 'if'",
    "condition": "write 'if'",
    "retries": "write retry: {attempts: …}",
    "outputs": "the operation decides what it gives: steps.<id>.output; a workflow has 'outputs'",
    "env": "workflows see no environment variables",
    "allow_failure": "write continue_on_error: true",
    "ignore_errors": "write continue_on_error: true",
}

TYPES = {
    "text": "string", "str": "string", "int": "integer", "float": "number", "bool": "boolean",
    "list": "array", "map": "object", "dict": "object", "none": "null", "url": "string", "date": "string",
}  # fmt: skip

NAMES = {
    "env": "workflows see no environment variables; pass it as an input",
    "secrets": "workflows see no secrets; connections hold them",
    "github": "there is `run`, with id, labels and created_at",
    "needs": "write steps.<id>.output",
    "matrix": "write item, in a step with for_each",
    "loop": "write index",
    "None": "write none or null",
    "yes": "write true",
    "on": "write true",
    "no": "write false",
    "off": "write false",
    "undefined": "write null, or `is undefined` behind a value",
}

FILTERS = {
    "count": "length", "d": "default", "e": "string", "capitalize": "upper", "title": "upper",
    "strip": "trim", "size": "length", "len": "length", "to_json": "tojson", "from_json": "fromjson",
    "str": "string", "filter": "select", "concat": "join",
}  # fmt: skip

OPERATORS = (
    (re.compile(r"&&"), "write `and` instead of &&"),
    (re.compile(r"\|\|"), "write `or` instead of ||, or | default(…) for what may be missing"),
    (re.compile(r"[!=]=="), "write == or != instead"),
    (re.compile(r"!(?!=)"), "write `not` instead of !"),
    (re.compile(r"\?\?"), "write | default(…) instead of ??"),
    (re.compile(r"\?\."), "write | default(…) behind what may be missing instead of ?."),
    (re.compile(r"\?"), "write `a if condition else b` instead of `condition ? a : b`"),
    (re.compile(r"(?<![=!<>])=(?!=)(?![^(]*\))"), "write == to compare"),
    (re.compile(r"=>|->"), "there are no functions; see the filters map and select"),
)
