"""Requests of people that are not what they say."""

from typing import Any

import pytest


@pytest.mark.parametrize("path", ["/runs", "/artifacts", "/nothing"])
async def test_a_body_that_is_not_compressed_as_it_says_is_nobody_elses_trouble(
    serve: Any, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with serve() as server:
        url = f"{server.running.admin_url}/api/v1{path}"
        async with server.session.post(url, data=b"\x1f\x8b\x08damaged", headers=headers) as answer:
            assert answer.status == (404 if path == "/nothing" else 400)
            assert answer.content_type == "application/problem+json"

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
