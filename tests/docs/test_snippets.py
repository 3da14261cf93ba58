"""Every workflow and every settings file that the pages show can be used as it stands."""

from pathlib import Path

import pytest

from orchestrator.definition.loader import load
from orchestrator.operations.plans import catalog
from orchestrator.providers.registry import KINDS
from orchestrator.settings import connection_tables, read_connection
from orchestrator.settings import load as load_settings
from tests.docs.generate import DOCS, TOP, pages
from tests.docs.provider_tables import PLACEHOLDER, connector
from tests.docs.reading import code_blocks

CATALOG = catalog({kind: connector(kind) for kind in KINDS})


def blocks(language: str) -> list[tuple[str, str]]:
    """Return every block in *language*, with its page and line."""
    return [
        (f"{page.relative_to(TOP)}:{line}", text)
        for page in [*pages(), TOP / "README.md"]
        for line, text in code_blocks(page, language)
    ]


@pytest.mark.parametrize(("place", "text"), blocks("yaml"), ids=[place for place, _ in blocks("yaml")])
def test_every_workflow_loads_without_a_problem(place: str, text: str) -> None:
    whole = text if "\nname:" in f"\n{text}" else f"{text}\nname: snippet\n"

    loaded = load(whole, file=place, catalog=CATALOG)

    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.workflow is not None


@pytest.mark.parametrize(("place", "text"), blocks("toml"), ids=[place for place, _ in blocks("toml")])
def test_every_settings_file_is_understood(place: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.toml"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for kind in ("pizi", "pixza", "trypi", "pixu"):
        (secrets / f"{kind}_api_key").write_text("key")
    for name in ("perfect_client_id", "perfect_client_secret"):
        (secrets / name).write_text(PLACEHOLDER)
    file.write_text(text.replace('"secrets/', f'"{secrets}/').replace('"…"', '"key"'))

    settings = load_settings(file, {})

    for name, table in connection_tables(settings).items():
        assert read_connection(settings, name, KINDS[table["kind"]].settings).base_url


def test_there_are_pages() -> None:
    assert (DOCS / "workflows.md").is_file()
    assert len(blocks("yaml")) > 10
