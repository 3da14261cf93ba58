"""What a provider's page says that its connector knows: operations, parameters, settings, errors."""

import json
import re
from importlib import import_module
from typing import Any

from orchestrator.providers.base import (
    ConnectionSettings,
    Connector,
    Failed,
    Operation,
    Rejected,
    Reply,
    Unauthorized,
    Waiting,
)
from orchestrator.providers.perfect.answers import TASK_ERRORS
from orchestrator.providers.perfect.features import FEATURES, default_paths
from orchestrator.providers.pixza.models import MODELS
from orchestrator.providers.registry import KINDS
from orchestrator.providers.statuses import Statuses
from orchestrator.settings.places import holds_secret
from orchestrator.simulators.server import SIMULATORS
from tests.docs import schema_tables
from tests.docs.markdown import code, codes, folded, sentence, table

PLACEHOLDER = "cGxhY2Vob2xkZXI="
"""Stands for a credential; base64, because some have to be."""

WAITS = {
    Waiting.NONE: "the answer is the result",
    Waiting.HINT: "a callback, or looks; the API has the truth",
    Waiting.VERDICT: "a callback alone",
    Waiting.HEARTBEAT: "polls, which keep the task alive",
    Waiting.POLL: "polls, held open by the provider",
}


def connector(kind: str) -> Connector:
    """Return a connector with nothing but defaults, and made-up credentials."""
    settings = KINDS[kind].settings
    given = {name: PLACEHOLDER for name, field in settings.model_fields.items() if field.is_required()}
    if "base_url" in given:
        given["base_url"] = "https://provider.invalid"
    return KINDS[kind].connect(settings.model_validate(given))


# --- operations ------------------------------------------------------------------------------


def operations(kind: str) -> str:
    """Return every operation, with how it ends and what becomes of an unclear submit."""
    rows = [
        (
            f"[{code(made.name)}](#{made.name})",
            made.summary,
            "yes" if made.spends else "no",
            WAITS[made.waiting],
            _unclear(made),
            _duration(made.timeout_s) if made.timeout_s and made.waiting is not Waiting.NONE else "",
        )
        for made in connector(kind).operations.values()
    ]
    columns = ("operation", "", "spends", "its end is known by", "after an unclear submit", "timeout")
    return table(columns, rows)


def _unclear(made: Operation) -> str:
    if not made.spends:
        return "fails; may be retried"
    if made.resend:
        return "the same request is sent again"
    return "it is searched for" if made.look_up else "its callback is waited for"


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def parameters(kind: str) -> str:
    """Return a section for each operation: its parameters and its output."""
    sections = []
    first: dict[tuple[object, object], str] = {}
    for made in connector(kind).operations.values():
        alike = first.setdefault((made.params, made.output), made.name)
        told = f"Takes and gives the same as [{code(alike)}](#{alike})."
        if alike == made.name:
            told = f"{schema_tables.parameters(made.params)}\n\n{schema_tables.output(made.output)}"
        sections.append(f"### {made.name}\n\n{made.summary}\n\n{told}")
    return "\n\n".join(sections)


def kinds(_: str) -> str:
    """Return every kind of provider there is."""
    rows = []
    for kind in KINDS:
        made = connector(kind)
        needed = [name for name, field in KINDS[kind].settings.model_fields.items() if field.is_required()]
        rows.append(
            (
                f"[{kind}](providers/{kind}.md)",
                codes(made.operations),
                codes(needed),
                "yes" if kind in SIMULATORS else "not yet",
            )
        )
    return table(("kind", "operations", "needs", "simulated"), rows)


# --- settings --------------------------------------------------------------------------------

COMMON = {
    "kind": "The kind of provider; by default the connection's name, so only a second account needs it.",
    "base_url": "Where requests go. Credentials are sent nowhere else.",
    "api_key": "The key of the account.",
    "client_id": "The API key of the account.",
    "client_secret": "",
    "app_uid": "",
    "face_form": "",
    "image_bytes_max": "The largest image that is sent in a request, in bytes; larger ones are shrunk.",
    "rate_limits": "Calls in a time, such as `60/1m`; ` host` at its end shares it with all connections to "
    "that host; `[]` means none.",
    "max_in_flight": "Tasks at the provider at a time; without it as many as there are.",
    "first_check": "When a task is looked at first, should no callback come before.",
    "max_check_interval": "The longest time between two looks.",
    "uncertain_grace": "How long an unclear submit is cleared up before the step's `on_uncertain` applies.",
    "request_timeout": "How long one request may take; a stop waits for the longest of these and 5 s.",
    "budget": 'Credits that may be used in a period, such as `{credits = 500, per = "1d"}`; needs `prices`.',
    "prices": "Credits that an operation costs, by its name: a number, or `{credits, per: <parameter>}`.",
    "plan": "",
    "paths": "",
    "request_id_start": "",
    "poll_interval": "Between the starts of two polls of a task.",
    "poll_timeout": "For the answer to one poll. Together with `poll_interval` it has to stay below 10 s.",
    "enhance_long_side_max": "",
    "rsa_padding": "",
    "invert_masks": "",
}
"""A sentence on each setting; what a kind's own docstring says is added."""


def settings(kind: str) -> str:
    """Return every setting of a connection of this kind."""
    model = KINDS[kind].settings
    notes = _notes(model)
    rows = []
    for name, field in model.model_fields.items():
        told = " ".join(filter(None, (COMMON[name], notes.get(name, ""))))
        if not told:
            raise ValueError(f"the setting {name} of {kind} needs a sentence")
        default = field.get_default(call_default_factory=True) if not field.is_required() else None
        shown = "see below" if name == "paths" else "" if default in (None, {}) else code(_toml(default))
        rows.append((code(name), "needed" if field.is_required() else shown, told))
    text = table(("setting", "default", ""), rows)
    secrets = [name for name, field in model.model_fields.items() if holds_secret(field.annotation)]
    return (
        f"{text}\n\nMay be given as the name of a file instead: {codes(f'{name}_file' for name in secrets)}."
    )


def _toml(value: Any) -> str:
    return json.dumps(value)


def _notes(model: type[ConnectionSettings]) -> dict[str, str]:
    """Return what the docstring says of single settings, `*plan*: …`; of two at once it says too little."""
    notes: dict[str, str] = {}
    text = " ".join((model.__doc__ or "").split())
    parts = re.split(r"(?:^|(?<= ))((?:\*\w+\*(?:, )?)+): ", text)
    for names, note in zip(parts[1::2], parts[2::2], strict=True):
        if "," not in names:
            notes[names.strip("*")] = sentence(f"{note[:1].upper()}{note[1:]}")
    return notes


# --- errors ----------------------------------------------------------------------------------


def errors(kind: str) -> str:
    """Return what the provider's answers to a submit mean."""
    statuses = getattr(import_module(f"orchestrator.providers.{kind}.answers"), "STATUSES", None)
    if isinstance(statuses, Statuses):
        return _of_statuses(kind, statuses)
    rows = [(code(name), text) for name, text in TASK_ERRORS.items()]
    return table(("code of a failed task", "what it means"), rows)


def _of_statuses(kind: str, statuses: Statuses) -> str:
    spending = next(made for made in connector(kind).operations.values() if made.spends)
    known = sorted({*statuses.meanings, 408, 500, 503})
    rows = [(str(s), statuses.meanings.get(s, ""), _becomes(spending, s)) for s in known]
    return table(("status", "what the provider means by it", "what becomes of the submit"), rows)


def _becomes(made: Operation, status: int) -> str:
    """Say what an answer without an explanation leads to; it is read as the real one would be."""
    model: Any = made.params
    params = model.model_construct(type="image", prompt="")
    outcome = made.read(params, Reply(status, {}, b""))
    if isinstance(outcome, Unauthorized) or (isinstance(outcome, Rejected) and outcome.wait):
        return f"waits and is sent again ({code(outcome.failure.cls)})"
    return f"fails ({code(outcome.failure.cls)})" if isinstance(outcome, Failed | Rejected) else "is unclear"


# --- what only one provider has ---------------------------------------------------------------


def features(_: str) -> str:
    """Return what Perfect's features take as images."""
    rows = [
        (
            code(feature.name),
            code(name),
            ", ".join(media.removeprefix("image/") for media in accepts.media_types),
            f"{accepts.long_side_max} pixels",
            f"{accepts.bytes_max:,} bytes",
        )
        for feature in FEATURES.values()
        for name, accepts in feature.images.items()
    ]
    return table(("operation", "image", "formats", "long side at most", "size at most"), rows)


def paths(_: str) -> str:
    """Return the default paths of Perfect."""
    defaults = default_paths()
    rows = [(code(name), code(path)) for name, path in defaults.items()]
    return folded(f"All {len(rows)} paths", table(("for", "path"), rows))


def models(_: str) -> str:
    """Return the models that Pixza documents."""
    rows = [
        (code(name), model.type, str(model.credits), {"unused": "no"}.get(model.image, model.image))
        for name, model in MODELS.items()
    ]
    return table(("model", "makes", "credits", "`input_image`"), rows)
