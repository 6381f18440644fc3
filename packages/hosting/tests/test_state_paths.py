"""Where a host keeps what: `state_dir` as a path, as a mapping, and as what it must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_framework_hosting import HostStatePaths
from agent_framework_hosting._state.paths import StatePaths, resolve
from agent_framework_hosting.errors import ConfigurationError


def test_without_a_state_dir_nothing_is_kept() -> None:
    assert resolve(None, has_checkpoints=True) == StatePaths(sessions=None, checkpoints=None)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_gets_a_folder_for_each_part(tmp_path: Path, kind: type[Any]) -> None:
    """Checkpoints for targets that have any."""
    root = kind(tmp_path)
    assert resolve(root, has_checkpoints=False) == StatePaths(sessions=tmp_path / "sessions")
    assert resolve(root, has_checkpoints=True) == StatePaths(
        sessions=tmp_path / "sessions", checkpoints=tmp_path / "checkpoints"
    )


def test_a_mapping_names_the_parts_and_what_is_missing_is_not_kept(tmp_path: Path) -> None:
    paths = HostStatePaths(sessions=tmp_path / "s", checkpoints=str(tmp_path / "c"))
    assert resolve(paths, has_checkpoints=True) == StatePaths(sessions=tmp_path / "s", checkpoints=tmp_path / "c")
    assert resolve({"checkpoints": tmp_path, "sessions": None}, has_checkpoints=True) == StatePaths(
        checkpoints=tmp_path
    )
    assert resolve(HostStatePaths(), has_checkpoints=True) == StatePaths()


def test_checkpoints_of_an_agent_are_ignored_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One mapping may serve several hosts."""
    assert resolve({"checkpoints": tmp_path}, has_checkpoints=False) == StatePaths()
    assert "only a workflow has" in caplog.text


def test_paths_do_not_move_with_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert resolve("state", has_checkpoints=False).sessions == tmp_path / "state" / "sessions"
    assert resolve("~/state", has_checkpoints=False).sessions == Path("/home/ada/state/sessions")


@pytest.mark.parametrize(
    ("state_dir", "message"),
    [
        ({"session": "/x"}, r"unknown key 'session'.*'sessions' and 'checkpoints'"),
        ({1: "/x"}, "unknown key 1"),
        ({"sessions": 7}, r"state_dir\['sessions'\] is 7"),
        ("", "state_dir is ''"),
        (7, "state_dir is 7"),
        ({"sessions": "/x/y", "checkpoints": "/x/z/../y"}, "a folder of its own"),
    ],
)
def test_what_is_no_state_dir_is_refused(state_dir: Any, message: str) -> None:
    """As a `ValueError`, too, which is what it was before it had a name."""
    with pytest.raises(ConfigurationError, match=message) as refused:
        resolve(state_dir, has_checkpoints=True)
    assert isinstance(refused.value, ValueError)
