"""From the text of a definition to a workflow, or to everything that is wrong with it."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from orchestrator.definition import graph
from orchestrator.definition.catalog import Catalog, Secrets
from orchestrator.definition.checks import check_graph, check_uses, check_values
from orchestrator.definition.children import (
    Signature,
    Signatures,
    check_children,
    signature_of,
    with_outputs,
)
from orchestrator.definition.doubts import check_doubts
from orchestrator.definition.policy_checks import check_budget, check_group
from orchestrator.definition.reading import Draft, StepDraft, read_draft
from orchestrator.definition.report import Report
from orchestrator.definition.requests import check_request_secrets
from orchestrator.definition.trigger_checks import check_notify, check_triggers
from orchestrator.definition.workflow import Step, Workflow
from orchestrator.definition.yaml_document import Document, Place, Unreadable, read
from orchestrator.errors import DefinitionError, Problem


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    What a file gave: errors and warnings, and a workflow if there is no error.

    *name_at*: where its name stands.
    """

    workflow: Workflow | None
    problems: tuple[Problem, ...]
    name_at: Place = field(default_factory=Place)


def load(
    text: str,
    *,
    file: str,
    catalog: Catalog,
    secrets: Secrets | None = None,
    others: Signatures | None = None,
) -> Loaded:
    """
    Return the workflow that *text* defines, checked against *catalog*; *file* is what problems call it.

    *secrets* None: it is not known which are configured, so any name will do. *others* None: likewise for
    the workflows that it names.
    """
    try:
        document = read(text)
    except Unreadable as error:
        report = Report(Document(None), file)
        report.at_place(error.place, error.message, error.hint)
        return Loaded(None, report.problems)
    report = Report(document, file)
    for message, place, hint in document.flaws:
        report.at_place(place, message, hint)
    if document.data is None and not document.flaws:
        report.at_place(document.value(()), "the file is empty")
        return Loaded(None, report.problems)
    draft = read_draft(document.data, report)
    check_graph(draft, report)
    operations = check_uses(draft, catalog, report)
    if others is not None:
        check_children(draft, others, report)
        operations |= with_outputs(draft, operations, others)
    check_values(draft, operations, report)
    check_budget(draft, operations, catalog, report)
    check_group(draft, report)
    check_request_secrets(draft, secrets, report)
    check_triggers(draft, secrets, others or {}, report)
    check_notify(draft.notify, secrets, report)
    check_doubts(draft, operations, report)
    workflow = None if report.has_errors else _workflow(draft, canonical(document.data))
    return Loaded(workflow, report.problems, document.value(("name",)))


def survey(text: str) -> Signature | None:
    """Return what other workflows may know of the one that *text* defines, as far as it can be read."""
    try:
        document = read(text)
    except Unreadable:
        return None
    draft = read_draft(document.data, Report(document, ""))
    return signature_of(draft) if draft.name else None


def parse(source: str) -> Workflow:
    """
    Return the workflow whose `source` this is, without asking whether its operations still exist.

    Errors:  DefinitionError, when no version of this package can have written it.
    """
    document = Document(orjson.loads(source))
    report = Report(document, "stored definition")
    draft = read_draft(document.data, report)
    check_graph(draft, report)
    if report.has_errors:
        raise DefinitionError(report.problems)
    return _workflow(draft, source)


def canonical(data: Any) -> str:
    """
    Return the canonical form of a definition's data: compact JSON.

    Comments, quoting, indentation and anything else that YAML makes no value of is gone.
    Keys stay in the author's order, in which people see inputs, steps and outputs.
    """
    return orjson.dumps(data).decode()


def digest(source: str) -> str:
    """Return `sha256:…` over a canonical form."""
    return f"sha256:{sha256(source.encode()).hexdigest()}"


def _workflow(draft: Draft, source: str) -> Workflow:
    needs = graph.needs(draft.steps)
    return Workflow(
        name=draft.name,
        description=draft.description,
        digest=digest(source),
        source=source,
        inputs=draft.inputs,
        required=draft.required,
        steps={id: _step(draft.steps[id], needs[id]) for id in graph.in_order(needs)},
        outputs=draft.outputs,
        timeout_s=draft.timeout_s,
        budget=draft.budget,
        concurrency=draft.concurrency,
        triggers=draft.triggers.triggers,
        notify=tuple(notify for _, notify in draft.notify),
    )


def _step(draft: StepDraft, needs: frozenset[str]) -> Step:
    return Step(
        id=draft.id,
        connection=draft.connection,
        operation=draft.operation,
        params=draft.params,
        needs=needs,
        condition=draft.condition,
        for_each=draft.for_each,
        max_parallel=draft.max_parallel,
        retry=draft.retry,
        timeout_s=draft.timeout_s,
        continue_on_error=draft.continue_on_error,
        fail_fast=draft.fail_fast,
        on_uncertain=draft.on_uncertain,
        deferred=draft.deferred,
    )
