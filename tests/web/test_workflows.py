from io import BytesIO
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

Client = TestClient[Request, Application]


async def test_workflows_are_listed_with_their_inputs_and_steps(client: Client) -> None:
    answer = await client.get("/api/v1/workflows")

    (portrait,) = (await answer.json())["items"]
    assert (portrait["name"], portrait["file"]) == ("portrait", "portrait.yaml")
    assert portrait["required"] == ["title"]
    assert [step["uses"] for step in portrait["steps"]] == ["pizi/create_model"]
    assert await (await client.get("/api/v1/workflows/portrait")).json() == portrait


async def test_a_workflow_tells_what_starts_it_besides_people(client: Client, shelf: Path) -> None:
    text = (shelf / "portrait.yaml").read_text().replace("title: {", "title: {default: Ada, ")
    triggers = """
triggers:
  webhook: {verify: {scheme: hmac, secret: shop}, inputs: {title: '${{ body.title }}'}}
  schedule: {cron: '0 3 * * *', timezone: Europe/Berlin}
  run: {workflow: other, status: [failed]}
"""
    (shelf / "portrait.yaml").write_text(text + triggers)
    (shelf / "other.yaml").write_text(text.replace("name: portrait", "name: other"))
    await client.post("/api/v1/workflows/reload")

    told = (await (await client.get("/api/v1/workflows/portrait")).json())["triggers"]

    assert told["webhook"] == {"path": "/hooks/portrait", "scheme": "hmac", "inputs": ["title"]}
    assert told["runs"] == [{"workflow": "other", "statuses": ["failed"]}]
    (schedule,) = told["schedules"]
    assert schedule.pop("next_at").endswith(":00:00.000000Z")
    assert schedule == {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "missed": "skip"}


async def test_a_workflow_that_is_not_there_is_not_found(client: Client) -> None:
    answer = await client.get("/api/v1/workflows/portrat")

    assert answer.status == 404
    assert "portrait" in (await answer.json())["detail"]


async def test_a_good_definition_is_valid(client: Client, shelf: Path) -> None:
    text = (shelf / "portrait.yaml").read_bytes()

    answer = await client.post("/api/v1/workflows/validate", data=text)

    assert await answer.json() == {"valid": True, "problems": []}


async def test_problems_of_a_definition_are_told_with_their_places(client: Client) -> None:
    text = "name: other\nsteps:\n  one:\n    uses: piza/create_model\n    with: {gender: female}\n"

    answer = await client.post("/api/v1/workflows/validate", data=text.encode())

    found = await answer.json()
    assert (answer.status, found["valid"]) == (200, False)
    assert found["problems"][0].keys() >= {"line", "column", "location", "message", "hint"}
    assert found["problems"][0]["line"] > 1
    assert (await client.get("/api/v1/workflows/other")).status == 404


@pytest.mark.parametrize("text", [b"", b"[", b"- 1", b"{", b"name: [a, b"])
async def test_what_is_no_definition_has_problems(client: Client, text: bytes) -> None:
    answer = await client.post("/api/v1/workflows/validate", data=text)

    assert answer.status == 200
    assert (await answer.json())["valid"] is False


@pytest.mark.parametrize(("text", "status"), [(b"\xff\xfe\x00", 400), (b"#" * (1 << 20) + b"#", 413)])
async def test_what_is_no_text_or_too_long_is_refused(client: Client, text: bytes, status: int) -> None:
    answer = await client.post("/api/v1/workflows/validate", data=BytesIO(text))

    assert answer.status == status


async def test_files_are_read_again_and_what_is_wrong_with_them_is_told(client: Client, shelf: Path) -> None:
    text = (shelf / "portrait.yaml").read_text()
    (shelf / "second.yaml").write_text(text.replace("name: portrait", "name: second", 1))
    (shelf / "broken.yaml").write_text("name: [")

    answer = await client.post("/api/v1/workflows/reload")

    found = await answer.json()
    assert found["workflows"] == ["portrait", "second"]
    assert [Path(problem["file"]).name for problem in found["problems"]] == ["broken.yaml"]
    assert (await client.get("/api/v1/workflows/second")).status == 200


async def test_a_workflow_that_was_left_out_is_told_with_its_file(client: Client, shelf: Path) -> None:
    (shelf / "second.yaml").write_text("name: second")
    await client.post("/api/v1/workflows/reload")

    answer = await client.get("/api/v1/workflows/second")

    assert (await answer.json())["detail"] == (
        "no workflow 'second' (there are: portrait; left out for what is wrong in them: second.yaml)"
    )


async def test_workflows_take_no_query(client: Client) -> None:
    assert (await client.get("/api/v1/workflows?name=portrait")).status == 422


async def test_a_file_that_is_broken_now_leaves_what_was_read_before_in_use(
    client: Client, shelf: Path
) -> None:
    (shelf / "portrait.yaml").write_text("name: [broken")

    answer = await client.post("/api/v1/workflows/reload")

    assert len((await answer.json())["problems"]) == 1
    assert (await client.get("/api/v1/workflows/portrait")).status == 200


async def test_the_schema_for_editors_knows_the_connections(client: Client) -> None:
    answer = await client.get("/api/v1/workflows/schema")

    schema = await answer.json()
    uses = [form["const"] for form in schema["$defs"]["step"]["properties"]["uses"]["anyOf"]]
    assert answer.status == 200
    assert {"pizi/create_model", "core/sleep"} <= set(uses)


async def test_a_workflow_tells_what_holds_for_its_runs(client: Client, shelf: Path) -> None:
    more = "timeout: 2h\nconcurrency: {group: 'x-${{ inputs.title }}', limit: 3}\n"
    (shelf / "portrait.yaml").write_text((shelf / "portrait.yaml").read_text() + more)
    await client.post("/api/v1/workflows/reload")

    shown = await (await client.get("/api/v1/workflows/portrait")).json()

    assert (shown["timeout_s"], shown["budget"], shown["notify"]) == (7200, {}, [])
    assert shown["concurrency"] == {"group": "x-${{ inputs.title }}", "limit": 3}
    assert (shown["steps"][0]["if"], shown["steps"][0]["max_parallel"]) == (None, None)
