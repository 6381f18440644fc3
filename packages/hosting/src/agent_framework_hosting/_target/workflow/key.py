"""The secret that checkpoints are sealed with, and where it lies when nobody gave one."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from ..._state.private import BadFile, make_private_folder, read_private, sync_folder, write_private
from ...errors import ConfigurationError
from .variable import KEY_VARIABLE

_SHORTEST: Final = 32
_FILE: Final = "checkpoint.key"
_MEND: Final = f"Pass checkpoint_key=, or set {KEY_VARIABLE}, to a secret of at least {_SHORTEST} characters."


class CheckpointKey(msgspec.Struct, frozen=True):
    """The secret, and where it is from, for the start line."""

    secret: bytes
    origin: str


def checkpoint_key(
    given: str | bytes | None, *, location: Path | None, environment: Mapping[str, str] = os.environ
) -> CheckpointKey:
    """Return the secret: the given one, else the environment's, else one in a file of the user's, made when missing.

    Args:
        given: What the developer passed.
        location: The folder in which checkpoints are kept, if it is one; the secret must not lie there.
        environment: Where to look for the variable.

    Raises:
        ConfigurationError: The secret is too short, or its file cannot be used.
    """
    if given is not None:
        return CheckpointKey(_long_enough(given, "checkpoint_key"), "checkpoint_key")
    if environment.get(KEY_VARIABLE):
        return CheckpointKey(_long_enough(environment[KEY_VARIABLE], KEY_VARIABLE), KEY_VARIABLE)
    path = _data_folder(environment) / _FILE
    if location is not None and path.resolve().is_relative_to(location.resolve()):
        raise ConfigurationError(
            f"The key that seals checkpoints would lie in {path}, beside the checkpoints themselves, where whoever can "
            f"change them can read it. {_MEND}"
        )
    return CheckpointKey(_kept_in(path), str(path))


def _long_enough(secret: str | bytes, name: str) -> bytes:
    data = secret.encode() if isinstance(secret, str) else bytes(secret)
    if len(data) < _SHORTEST:
        raise ConfigurationError(
            f"{name} has {len(data)} characters; a secret of at least {_SHORTEST} is needed, for example the output of "
            "`openssl rand -hex 32`."
        )
    return data


def _data_folder(environment: Mapping[str, str]) -> Path:
    if environment.get("XDG_DATA_HOME"):
        return Path(environment["XDG_DATA_HOME"]) / "agent-framework-hosting"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigurationError(f"There is no folder to keep the key that seals checkpoints in. {_MEND}") from error
    below = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return home / below / "agent-framework-hosting"


def _kept_in(path: Path) -> bytes:
    try:
        if not os.path.lexists(path):
            _make(path)
        return _long_enough(read_private(path, max_bytes=1024), str(path))
    except BadFile as error:
        reason = error.reason
    except (OSError, ConfigurationError) as error:
        reason = str(error)
    raise ConfigurationError(f"The key that seals checkpoints cannot be kept in {path}: {reason} {_MEND}")


def _make(path: Path) -> None:
    make_private_folder(path.parent)
    # Written beside its place and linked, so that of two processes that begin together one key wins.
    beside = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    write_private(beside, secrets.token_hex(_SHORTEST).encode())
    try:
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    # What is sealed from now on is lost with the key, so its name has to reach the disk first.
    sync_folder(path.parent)
