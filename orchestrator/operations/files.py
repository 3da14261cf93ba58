"""The files among the inputs of a run: each handed to whoever keeps or checks them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from orchestrator.definition.workflow import Workflow
from orchestrator.errors import InputProblem, InvalidInput

TakeFile = Callable[[str, bool], Awaitable[str]]
"""
Makes an artifact reference of a data URI, or checks one; the flag says that it has to be an image.

Errors:  ValueError with what is wrong.
"""


async def take_files(definition: Workflow, inputs: Mapping[str, Any], take: TakeFile) -> dict[str, Any]:
    """Return *inputs* with every data URI and artifact reference as *take* gives it. Errors: InvalidInput."""
    problems: list[InputProblem] = []
    taken = {}
    for name, value in inputs.items():
        is_image = b'"format":"image"' in orjson.dumps(definition.inputs[name])
        taken[name] = await _walk(value, f"inputs.{name}", is_image, take, problems)
    if problems:
        raise InvalidInput(problems)
    return taken


async def _walk(value: Any, at: str, is_image: bool, take: TakeFile, problems: list[InputProblem]) -> Any:
    if isinstance(value, dict):
        return {k: await _walk(v, f"{at}.{k}", is_image, take, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [await _walk(v, f"{at}[{i}]", is_image, take, problems) for i, v in enumerate(value)]
    if isinstance(value, str) and value.startswith(("data:", "artifact:sha256:")):
        try:
            return await take(value, is_image)
        except ValueError as error:
            problems.append(InputProblem(at, str(error)))
    return value
