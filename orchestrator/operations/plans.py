"""
From a definition and the configured connections to a plan that the engine can decide on.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from orchestrator.core.connector import CoreConnector
from orchestrator.definition.catalog import Catalog, ConnectionSpec, OperationSpec
from orchestrator.definition.loader import parse
from orchestrator.definition.workflow import CORE, Step, Workflow
from orchestrator.engine.plan import Plan
from orchestrator.errors import NotFound
from orchestrator.operations.absent import Absent
from orchestrator.operations.http_step import HttpStep
from orchestrator.operations.planned import Planned, Sending
from orchestrator.operations.usual import UsualDurations
from orchestrator.providers.base import Connector, Operation, ParamProblem, check_params


class Plans:
    """Makes plans, and remembers the plan of every digest it was asked for. *usual*: see `UsualDurations`."""

    def __init__(
        self, connectors: Mapping[str, Connector], sending: Sending, usual: UsualDurations | None = None
    ) -> None:
        self.usual = usual or UsualDurations()
        self.connectors, self.callbacks = connectors, sending.callbacks
        self._sending = sending
        self._planned: dict[tuple[str, str], Planned] = {}
        self._plans: dict[str, Plan] = {}

    def of(self, workflow: Workflow) -> Plan:
        """Return the plan of *workflow*; what it uses that is not there any more is `Absent` in it."""
        plan = self._plans.get(workflow.digest)
        if plan is None:
            operations = {step.id: self._for(step) for step in workflow.steps.values()}
            plan = self._plans[workflow.digest] = Plan(workflow, operations)
        return plan

    async def pinned(self, digest: str, source_of: Callable[[str], Awaitable[str | None]]) -> Plan:
        """
        Return the plan that a run was started with, from the source that was stored with it.

        Errors:  NotFound when the store has no such definition.
        """
        plan = self._plans.get(digest)
        return plan if plan is not None else self.of(await self.workflow(digest, source_of))

    async def workflow(self, digest: str, source_of: Callable[[str], Awaitable[str | None]]) -> Workflow:
        """
        Return the definition alone, for looking at a run whose connections may be gone by now.

        Errors:  NotFound when the store has no such definition.
        """
        plan = self._plans.get(digest)
        if plan is not None:
            return plan.workflow
        source = await source_of(digest)
        if source is None:
            raise NotFound(f"no definition with the digest {digest}")
        return parse(source)

    def planned(self, connection: str, operation: str) -> Planned:
        """Return one operation. Errors: KeyError."""
        key = connection, operation
        if key not in self._planned:
            connector = self.connectors[connection]
            found = connector.operations[operation]
            self._planned[key] = Planned(connector, found, self._sending, name=connection, usual=self.usual)
        return self._planned[key]

    def absent(self, workflow: Workflow) -> str | None:
        """Return the first thing that *workflow* uses and that is not there any more, by its name."""
        operations = self.of(workflow).operations.values()
        return next((one.name for one in operations if isinstance(one, Absent)), None)

    def _for(self, step: Step) -> Planned | Absent:
        if step.connection not in self.connectors:
            return Absent(step.connection)
        if step.operation not in self.connectors[step.connection].operations:
            return Absent(f"{step.connection}/{step.operation}")
        if (step.connection, step.operation) == (CORE, "http"):
            connector = self.connectors[CORE]
            return HttpStep(connector, connector.operations["http"], self._sending, step)
        return self.planned(step.connection, step.operation)


def catalog(connectors: Mapping[str, Connector]) -> Catalog:
    """Return what definitions may use: these connections, and always our own operations."""
    return {
        name: ConnectionSpec(
            name=name,
            kind=connector.kind,
            operations={operation.name: _spec(operation) for operation in connector.operations.values()},
        )
        for name, connector in {**connectors, CORE: CoreConnector()}.items()
    }


def _spec(operation: Operation) -> OperationSpec:
    return OperationSpec(
        name=operation.name,
        summary=operation.summary,
        params_schema=_schema(operation.params),
        output_schema=_schema(operation.output),
        check=_checker(operation),
        gives_files=operation.gives_files,
        costs=operation.priced is not None,
        priced=bool(operation.priced),
    )


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of *model*; to make those of all operations takes half the time of a start."""
    return model.model_json_schema()


def _checker(
    operation: Operation,
) -> Callable[[Mapping[str, Any], Callable[[Any], bool]], list[ParamProblem]]:
    def check(values: Mapping[str, Any], is_unknown: Callable[[Any], bool]) -> list[ParamProblem]:
        return check_params(operation.params, values, is_unknown=is_unknown)

    return check
