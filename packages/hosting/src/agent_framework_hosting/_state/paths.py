"""Where a host keeps what: the `state_dir` of its caller, resolved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias, TypedDict, cast

import msgspec

from ..errors import ConfigurationError
from ..logs import logger

_SESSIONS: Final = "sessions"
_CHECKPOINTS: Final = "checkpoints"

AnyPath: TypeAlias = str | os.PathLike[str]


class HostStatePaths(TypedDict, total=False):
    """A `state_dir` whose parts lie in different places; what has no path is not kept.

    Example:
        >>> HostStatePaths(sessions="/var/lib/agent/sessions")
        {'sessions': '/var/lib/agent/sessions'}
    """

    sessions: AnyPath
    """Which session a key stands for after resets. No message text."""
    checkpoints: AnyPath
    """Checkpoints of a workflow target."""


StateDir: TypeAlias = AnyPath | HostStatePaths | Mapping[str, AnyPath | None]
"""What `state_dir` takes."""


class StatePaths(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of a host, as absolute paths; `None` is not kept."""

    sessions: Path | None = None
    checkpoints: Path | None = None


def resolve(state_dir: StateDir | None, *, has_checkpoints: bool) -> StatePaths:
    """Return the folders that `state_dir` names.

    Args:
        state_dir: A path, which gets a folder for each part; or a mapping of the parts to their paths.
        has_checkpoints: Whether the target is one that checkpoints are kept for.

    Raises:
        ConfigurationError: A part is unknown, a path is none, or two parts share a folder.
    """
    if state_dir is None:
        return StatePaths()
    if not isinstance(state_dir, Mapping):
        root = _absolute(state_dir, name="state_dir")
        return StatePaths(sessions=root / _SESSIONS, checkpoints=root / _CHECKPOINTS if has_checkpoints else None)
    named = _named(cast("Mapping[str, AnyPath | None]", state_dir))
    if _CHECKPOINTS in named and not has_checkpoints:
        logger.warning("state_dir names a folder for checkpoints, which only a workflow has; it is ignored.")
        del named[_CHECKPOINTS]
    if len({os.path.realpath(path) for path in named.values()}) < len(named):
        raise ConfigurationError(
            "state_dir names one folder for sessions and checkpoints. Give each a folder of its own."
        )
    return StatePaths(**named)


def _named(state_dir: Mapping[str, AnyPath | None]) -> dict[str, Path]:
    unknown = [part for part in state_dir if part not in (_SESSIONS, _CHECKPOINTS)]
    if unknown:
        raise ConfigurationError(
            f"state_dir has the unknown key {unknown[0]!r}. The keys are {_SESSIONS!r} and {_CHECKPOINTS!r}; what is "
            "left out is not kept."
        )
    return {part: _absolute(path, name=f"state_dir[{part!r}]") for part, path in state_dir.items() if path is not None}


def _absolute(path: object, *, name: str) -> Path:
    # A later change of the working directory must not move what is kept.
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ConfigurationError(f"{name} is {path!r}. It takes the path of a folder, or a mapping of such paths.")
    return Path(os.fsdecode(os.fspath(cast("AnyPath", path)))).expanduser().absolute()
