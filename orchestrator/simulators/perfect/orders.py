"""Reading what a caller wants: the bodies of create-file and run, member by member, with nothing let pass."""

from dataclasses import dataclass
from typing import Any

from orchestrator.simulators.perfect import styles
from orchestrator.simulators.perfect.features import Feature
from orchestrator.simulators.perfect.refusal import invalid
from orchestrator.simulators.perfect.styles import Style

_SCALES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class FileOrder:
    """A file that somebody wants to upload."""

    content_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Order:
    """
    A task that somebody wants to be run.

    Shape:   *files* are file ids by member of `file_sets`, one each; *request_id* None where the
             caller may and did leave it out; *style*, *scale* and *prompt* as the feature has them.
    """

    feature: Feature
    request_id: int | None
    files: dict[str, str]
    action_id: int
    output_ext: str
    style: Style | None = None
    scale: int = 1
    prompt: str = ""


def read_files(feature: Feature, body: object) -> list[FileOrder]:
    """Return what the body of a create-file call asks for. Errors: Refusal 400."""
    members = _object("body", body, ("files",))
    files = members.get("files")
    if not isinstance(files, list) or not files:
        raise invalid("files must be a list of at least one file")
    return [_read_file(feature, index, file) for index, file in enumerate(files)]


def _read_file(feature: Feature, index: int, file: object) -> FileOrder:
    where = f"files[{index}]"
    members = _object(where, file, ("content_type", "file_name"))
    content_type, name = members.get("content_type"), members.get("file_name")
    if content_type not in feature.content_types:
        raise invalid(f"{where}.content_type must be one of {', '.join(feature.content_types)}")
    if not isinstance(name, str) or not name:
        raise invalid(f"{where}.file_name is required")
    return FileOrder(str(content_type), name)


def read_order(feature: Feature, body: object) -> Order:
    """Return what the body of a run call asks for. Errors: Refusal 400."""
    members = _object("body", body, ("request_id", "payload"))
    request_id = members.get("request_id")
    if request_id is not None or feature.marks_all_required:
        request_id = _count("request_id", request_id)
    expected = ("file_sets", "actions", "output_ext") if feature.takes_files else ("actions", "output_ext")
    payload = _object("payload", members.get("payload"), expected)
    action = _read_action(feature, payload.get("actions"))
    files = _read_sets(feature, payload.get("file_sets")) if feature.takes_files else {}
    params = _read_params(feature, action)
    action_id, ext = _count("actions[0].id", action.get("id")), _ext(feature, payload)
    return Order(feature, request_id, files, action_id, ext, **params)


def _read_sets(feature: Feature, sets: object) -> dict[str, str]:
    members = _object("file_sets", sets, feature.sets)
    return {name: _single_id(f"file_sets.{name}", members.get(name)) for name in feature.sets}


def _single_id(where: str, ids: object) -> str:
    if not isinstance(ids, list) or len(ids) != 1 or not isinstance(ids[0], str):
        raise invalid(f"{where} must be a list of exactly one file id")
    return ids[0]


def _read_action(feature: Feature, actions: object) -> dict[str, Any]:
    if not isinstance(actions, list) or len(actions) != 1:
        raise invalid("actions must be a list of exactly one action")
    return _object("actions[0]", actions[0], ("id", "params") if feature.params else ("id",))


def _read_params(feature: Feature, action: dict[str, Any]) -> dict[str, Any]:
    if not feature.params:
        return {}
    params = _object("params", action.get("params"), feature.params)
    read: dict[str, Any] = {}
    if "scale" in feature.params:
        read["scale"] = _scale(params.get("scale"))
    if "prompt" in feature.params:
        read["prompt"] = _prompt(params.get("prompt"))
    if feature.has_styles:
        read["style"] = _style(feature, params)
    return read


def _scale(scale: object) -> int:
    if _count("params.scale", scale) not in _SCALES:
        raise invalid("params.scale must be 1, 2 or 4")
    return _count("params.scale", scale)


def _prompt(prompt: object) -> str:
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("params.prompt is required")
    return prompt


def _style(feature: Feature, params: dict[str, Any]) -> Style:
    group_id, ids = _count("params.style_group_id", params.get("style_group_id")), params.get("style_ids")
    if not isinstance(ids, list) or len(ids) != 1:
        raise invalid("params.style_ids must be a list of exactly one style")
    return styles.style(feature.name, group_id, _count("params.style_ids[0]", ids[0]))


def _ext(feature: Feature, payload: dict[str, Any]) -> str:
    ext = payload.get("output_ext", feature.output_ext[0])
    if ext not in feature.output_ext:
        raise invalid(f"output_ext must be one of {', '.join(feature.output_ext)}")
    return str(ext)


def _object(where: str, value: object, expected: tuple[str, ...]) -> dict[str, Any]:
    """Return *value* if it is an object without unexpected members."""
    if not isinstance(value, dict):
        raise invalid(f"{where} must be an object")
    for name in value:
        if name not in expected:
            raise invalid(f"{where} has an unknown member {name!r}; known are {', '.join(expected)}")
    return value


def _count(where: str, value: object) -> int:
    """Return *value* if it is a whole number from 0 on; true, "1" and 1.0 are none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f"{where} must be an integer from 0 on")
    return value
