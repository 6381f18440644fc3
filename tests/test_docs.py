"""The documents: whole, linked, and as short as they promise. That their examples run is shown by running them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import agent_framework_hosting

from .served import COMMANDS, free_port, serving

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def words(page: str) -> str:
    """The text of a page on one line."""
    return " ".join((DOCS / page).read_text().split())


@pytest.mark.parametrize("page", ["contract.md", "which-package.md"])
def test_they_say_what_is_the_supported_way_to_run_on_foundry_hosted_agents(page: str) -> None:
    assert "not the supported way to run on Foundry Hosted Agents: `agent-framework-foundry-hosting` is" in words(page)


@pytest.mark.parametrize("page", ["contract.md", "tutorial.md"])
def test_they_say_that_a_stream_update_hook_is_no_redaction(page: str) -> None:
    assert "is no redaction" in words(page)


def test_the_contract_names_everything_at_the_top_level() -> None:
    assert [name for name in agent_framework_hosting.__all__ if f"`{name}`" not in words("contract.md")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    pages = [page.name for page in DOCS.glob("*.md") if page.name != "README.md"]
    assert [page for page in pages if f"]({page})" not in index] == []


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page that are in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_no_step_of_the_tutorial_is_longer_than_15_lines() -> None:
    steps = blocks("tutorial.md", "python")
    assert len(steps) > 10
    assert [step for step in steps if len(step.strip().splitlines()) > 15] == []


def test_the_tutorials_app_runs_and_says_what_the_tutorial_shows(tmp_path: Path) -> None:
    agent, _, host = blocks("tutorial.md", "python")[:3]
    (line,) = blocks("tutorial.md", "text")
    with free_port() as port:
        app = tmp_path / "app.py"
        app.write_text((agent + host).replace("8000", str(port)))
        with serving([sys.executable, app], port=port, log=tmp_path / "printed") as served:
            assert line.strip().replace("8000", str(port)) in served.printed
            assert served.stop() == 0


@pytest.mark.network
def test_a_project_that_requires_the_clone_as_shown_gets_the_clone(tmp_path: Path) -> None:
    (lines,) = blocks("which-package.md", "toml")
    described = lines.replace("[project]", '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"')
    (tmp_path / "pyproject.toml").write_text(described)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "agent-framework-hosting").symlink_to(DOCS.parent)
    run = subprocess.run([COMMANDS / "uv", "lock"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for package in ("hosting", "hosting-responses"):
        source = f'source = {{ editable = "vendor/agent-framework-hosting/packages/{package}" }}'
        assert source in (tmp_path / "uv.lock").read_text()
