"""A spending request as people may see it: what was sent, without what would let them act in our name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.providers.template import Fill, Template, filled_text, render, with_head
from orchestrator.store.rows import JobRow
from orchestrator.telemetry import scrub


@dataclass(frozen=True, slots=True)
class Sent:
    """*head*: method, path or url, query, headers (ours, without credentials). *body*: JSON."""

    head: dict[str, Any]
    body: Any


def as_sent(template: Mapping[str, Any], job: JobRow, number: int | None) -> Sent:
    """
    Return the request that *template* (of `job.submitting`) stands for.

    Images are `artifact:sha256:…`, credentials are masked, and the callback URL is without its signature.
    """
    frozen = Template.from_json(template)

    def fill(hole: Fill) -> str | int:
        match hole["fill"]:
            case "callback":
                slot = hole.get("slot", "")
                return f"{hole.get('base', '')}/callbacks/{job.connection}/{job.id}{slot}"
            case "number":
                return "[number]" if number is None else number
            case "credential":
                return f"[{hole['name']}]"
            case "secret":
                return f"{hole['prefix']}[{hole['name']}]"
            case "text":
                return filled_text(hole, fill)
            case _:
                return f"artifact:{hole['digest']}"

    frozen = with_head(frozen, fill)
    head = {
        "method": frozen.method,
        "path": frozen.path,
        # An address that the provider gave us may be signed.
        "url": None if frozen.url is None else scrub(frozen.url.partition("?")[0]),
        "query": dict(frozen.query),
        "headers": dict(frozen.headers),
    }
    body = f"artifact:{frozen.content['digest']}" if frozen.content is not None else render(frozen, fill)
    return Sent(head, body)
