"""What holds the workspace together: lock files that work anywhere, layers that cover every package."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = {path.name for path in ROOT.glob("packages/*/src/*") if path.is_dir()}
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_the_python_lock_names_the_public_registry_alone() -> None:
    hosts = set(re.findall(r'"https?://([^/"]+)', (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_the_node_lock_names_the_public_registry_or_none() -> None:
    lock = json.loads((ROOT / "tests/clients/node/package-lock.json").read_text())
    places = [package.get("resolved", "https://registry.npmjs.org/") for package in lock["packages"].values()]
    assert all(place.startswith("https://registry.npmjs.org/") for place in places)


def test_every_package_is_held_by_the_layer_contracts() -> None:
    assert set(CONFIG["importlinter"]["root_packages"]) == SOURCES


def test_every_channel_is_named_in_the_contract_that_keeps_channels_apart() -> None:
    contracts = {contract["id"]: contract for contract in CONFIG["importlinter"]["contracts"]}
    assert set(contracts["channels-are-independent"]["modules"]) == SOURCES - {"agent_framework_hosting"}


def test_every_package_layers_all_of_its_modules() -> None:
    layered = [contract for contract in CONFIG["importlinter"]["contracts"] if contract["type"] == "layers"]
    assert {container for contract in layered for container in contract["containers"]} >= SOURCES
    assert all(contract["exhaustive"] for contract in layered)


def test_every_channel_guards_itself_with_the_same_file() -> None:
    """It stands in each of them, since it is what finds out whether there is a base to have it from."""
    guards = {path.read_text() for path in ROOT.glob("packages/*/src/*/_foreign.py")}
    assert len(guards) == 1
    assert len(list(ROOT.glob("packages/*/src/*/_foreign.py"))) == len(SOURCES) - 1
