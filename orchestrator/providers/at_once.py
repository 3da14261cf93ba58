"""Operations that are one request, whose answer is the result."""

from collections.abc import Callable
from typing import Any

from orchestrator.providers.base import (
    Exchange,
    Operation,
    Output,
    Params,
    Reply,
    Request,
    Submit,
    SubmitOutcome,
)


def at_once(
    name: str,
    summary: str,
    params: type[Params],
    output: type[Output],
    request: Callable[[Any], Request],
    read: Callable[[Any, Reply], SubmitOutcome],
) -> Operation:
    """Return the operation *name*: *request* is made from the parameters, *read* is given both."""

    def submit(params: Any, submit: Submit) -> Exchange[Request | SubmitOutcome]:
        yield from ()
        return request(params)

    return Operation(name=name, summary=summary, params=params, output=output, submit=submit, read=read)
