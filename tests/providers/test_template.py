from typing import Any

import orjson
import pytest

from orchestrator.providers.base import (
    CallbackUrl,
    Credential,
    Inline,
    Link,
    PreparedBytes,
    Request,
    RequestNumber,
)
from orchestrator.providers.template import Fill, Template, freeze, render

IMAGE = PreparedBytes(
    digest="sha256:" + "ab" * 32, media_type="image/png", size=3, width=1, height=1, name="x.png"
)


def frozen(body: Any, *, callbacks: bool = True, public_url: str | None = None) -> Template:
    request = Request(method="POST", path="/tasks", json=body)
    return freeze(request, key="k1", callbacks=callbacks, link_exp=1_800_000_000, public_url=public_url)


def named(hole: Fill) -> str | int:
    return 7 if hole["fill"] == "number" else f"<{hole['fill']}>"


def test_a_body_without_holes_comes_back_as_it_is() -> None:
    body = {"a": [1, 2.5, None, True, {"b": "text"}], "c": {}}

    template = frozen(body)

    assert template.holes == ()
    assert render(template, named) == body


def test_every_kind_of_hole_is_taken_out_and_filled_again() -> None:
    template = frozen(
        {
            "callbackUrl": CallbackUrl(),
            "images": [Inline(IMAGE, "data_uri"), {"b64": Inline(IMAGE, "base64")}, Link(IMAGE)],
            "api_key": Credential("api_key"),
            "request_id": RequestNumber(),
            "prompt": "a dress",
        }
    )

    assert template.body == {
        "callbackUrl": None,
        "images": [None, {"b64": None}, None],
        "api_key": None,
        "request_id": None,
        "prompt": "a dress",
    }
    assert render(template, named) == {
        "callbackUrl": "<callback>",
        "images": ["<data_uri>", {"b64": "<base64>"}, "<link>"],
        "api_key": "<credential>",
        "request_id": 7,
        "prompt": "a dress",
    }


def test_a_hole_says_all_that_a_resend_needs() -> None:
    template = frozen(
        [CallbackUrl(), Link(IMAGE), Inline(IMAGE, "base64")], public_url="https://hooks.example"
    )

    assert [dict(hole) for hole in template.holes] == [
        {"at": [0], "fill": "callback", "key": "k1", "base": "https://hooks.example"},
        {
            "at": [1],
            "fill": "link",
            "digest": IMAGE.digest,
            "exp": 1_800_000_000,
            "key": "k1",
            "base": "https://hooks.example",
        },
        {"at": [2], "fill": "base64", "digest": IMAGE.digest, "media_type": "image/png"},
    ]


def test_a_callback_url_with_an_open_slot_keeps_the_slot_for_a_resend() -> None:
    template = frozen({"callback_url": CallbackUrl(slot="?uid=")}, public_url="https://hooks.example")

    assert [dict(hole) for hole in template.holes] == [
        {
            "at": ["callback_url"],
            "fill": "callback",
            "slot": "?uid=",
            "key": "k1",
            "base": "https://hooks.example",
        }
    ]


def test_a_template_read_back_from_the_log_renders_the_same_bytes() -> None:
    template = frozen(
        {"z": 1, "a": {"url": CallbackUrl(), "m": ("x", 0.1 + 0.2)}, "n": RequestNumber(), "o": 10**18}
    )

    from_log = Template.from_json(orjson.loads(orjson.dumps(template.to_json())))

    assert orjson.dumps(render(from_log, named)) == orjson.dumps(render(template, named))
    assert from_log.to_json() == template.to_json()


def test_what_an_author_writes_is_never_taken_for_a_hole() -> None:
    body: dict[str, Any] = {
        "fill": "credential",
        "name": "api_key",
        "at": [],
        "x": None,
        "y": {"holes": [{"fill": "callback"}]},
    }

    template = frozen(body)

    assert template.holes == ()
    assert render(template, named) == body


def test_without_callbacks_the_callback_url_is_left_out_with_its_key() -> None:
    template = frozen(
        {"callbackUrl": CallbackUrl(), "list": [CallbackUrl(), 1, RequestNumber()], "a": 1}, callbacks=False
    )

    assert template.body == {"list": [1, None], "a": 1}
    assert render(template, named) == {"list": [1, 7], "a": 1}


def test_a_body_that_is_one_hole_is_filled_as_a_whole() -> None:
    assert render(frozen(Inline(IMAGE, "base64")), named) == "<base64>"
    assert frozen(CallbackUrl(), callbacks=False).body is None


def test_filling_changes_neither_the_template_nor_the_request() -> None:
    body: dict[str, Any] = {"deep": {"list": [{"url": CallbackUrl()}, {"url": CallbackUrl()}]}}
    template = frozen(body)

    first = render(template, named)
    first["deep"]["list"][0]["url"] = "changed"

    assert template.body == {"deep": {"list": [{"url": None}, {"url": None}]}}
    assert isinstance(body["deep"]["list"][0]["url"], CallbackUrl)
    assert render(template, named)["deep"]["list"][0]["url"] == "<callback>"


def test_a_whole_body_of_bytes_is_kept_as_a_reference() -> None:
    request = Request(method="PUT", url="https://upload.example/x?sig=%2F", content=IMAGE, timeout_s=9.0)

    template = freeze(request, key="k1", callbacks=True, link_exp=0)

    assert template.content == {"digest": IMAGE.digest, "media_type": "image/png"}
    assert (template.url, template.timeout_s) == ("https://upload.example/x?sig=%2F", 9.0)


def test_a_body_that_json_cannot_hold_is_refused_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"cannot hold bytes at \['a', 0\]"):
        frozen({"a": [b"raw"]})
