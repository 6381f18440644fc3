"""The import guard: a foreign base is explained before anything of it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_framework_hosting_responses._foreign import INSTALL


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A foreign package in a folder that comes first on `sys.path`; running it would be noticed."""
    package = tmp_path / "elsewhere" / "agent_framework_hosting"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('raise RuntimeError("the foreign package ran")\n')
    return package


def import_the_channel(*, path: Path | None = None, before: str = "") -> subprocess.CompletedProcess[str]:
    """Import the channel in a fresh interpreter."""
    environment = os.environ | {"PYTHONPATH": str(path) if path else ""}
    code = f"import sys, types\n{before}\nimport agent_framework_hosting_responses"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_our_own_base_is_taken() -> None:
    run = import_the_channel()
    assert (run.returncode, run.stderr) == (0, "")


def test_a_foreign_base_is_refused_with_its_place_and_the_line_that_mends_it(planted: Path) -> None:
    stderr = import_the_channel(path=planted.parent).stderr
    assert "ImportError: agent_framework_hosting_responses found another project's package" in stderr
    assert f"file:    {planted / '__init__.py'}" in stderr
    assert "version: unknown" in stderr
    assert INSTALL in stderr


def test_nothing_of_a_foreign_base_is_run(planted: Path) -> None:
    assert "the foreign package ran" not in import_the_channel(path=planted.parent).stderr


def test_the_version_named_is_that_of_the_package_found_not_of_ours(planted: Path) -> None:
    metadata = planted.parent / "agent_framework_hosting-1.0.0b7.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: agent-framework-hosting\nVersion: 1.0.0b7\n")
    assert "version: 1.0.0b7" in import_the_channel(path=planted.parent).stderr


@pytest.mark.parametrize("project", ["", "PROJECT = 'another'", "PROJECT = None"])
def test_a_project_module_without_our_mark_is_foreign(planted: Path, project: str) -> None:
    (planted / "_project.py").write_text(f"{project}\n")
    assert "found another project's package" in import_the_channel(path=planted.parent).stderr


def test_a_namespace_folder_of_that_name_is_foreign(tmp_path: Path) -> None:
    hidden = "import pathlib; sys.path[:] = [p for p in sys.path if 'hosting/src' not in pathlib.Path(p).as_posix()]"
    (tmp_path / "agent_framework_hosting").mkdir()
    ours = Path(__file__).parents[1] / "src"
    stderr = import_the_channel(path=tmp_path, before=f"{hidden}; sys.path.append({str(ours)!r})").stderr
    assert "found another project's package" in stderr
    assert "file:    unknown" in stderr


def test_a_module_of_that_name_without_a_place_is_foreign() -> None:
    before = "sys.modules['agent_framework_hosting'] = types.ModuleType('agent_framework_hosting')"
    assert "found another project's package" in import_the_channel(before=before).stderr


def test_a_missing_base_is_said_to_be_missing_with_the_line_that_brings_ours() -> None:
    stderr = import_the_channel(before="sys.modules['agent_framework_hosting'] = None").stderr
    assert "needs agent_framework_hosting, which is not installed" in stderr
    assert INSTALL in stderr


def test_an_error_inside_our_own_base_is_not_called_foreign() -> None:
    stderr = import_the_channel(before="sys.modules['agent_framework_hosting.errors'] = None").stderr
    assert "another project" not in stderr
