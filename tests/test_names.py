"""Names and versions: what docs/decisions/0001-names-and-versions.md promises."""

import re
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import agent_framework_hosting
import agent_framework_hosting_responses

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
CHANNELS = [package for package in PACKAGES if package.name != "hosting"]
FOREIGN_VERSIONS = ["0.1.0", "1.0.0a251204", "1.0.0b7", "1.23.0", "1.23.0.post1", "9999.0", "0.1.0+local"]


def project(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())["project"]


def requirements(package: Path) -> list[Requirement]:
    """All requirements of a package, those of its extras included."""
    described = project(package)
    extras: dict[str, list[str]] = described.get("optional-dependencies", {})
    return [Requirement(text) for text in chain(described["dependencies"], *extras.values())]


VERSIONS: dict[str, str] = {project(package)["name"]: project(package)["version"] for package in PACKAGES}


def test_all_packages_carry_one_version() -> None:
    assert set(VERSIONS.values()) == {agent_framework_hosting.__version__}


def test_modules_and_metadata_say_the_same_version() -> None:
    assert agent_framework_hosting_responses.__version__ == agent_framework_hosting.__version__
    assert {name: metadata.version(name) for name in VERSIONS} == VERSIONS


@pytest.mark.parametrize("foreign", FOREIGN_VERSIONS)
def test_our_version_beats_whatever_pypi_has(foreign: str) -> None:
    assert all(Version(version) > Version(foreign) for version in VERSIONS.values())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_siblings_are_pinned_exactly_so_that_no_foreign_release_fits(package: Path) -> None:
    siblings = [needed for needed in requirements(package) if canonicalize_name(needed.name) in VERSIONS]
    for sibling in siblings:
        assert str(sibling.specifier) == f"=={VERSIONS[sibling.name]}"
        assert list(sibling.specifier.filter(FOREIGN_VERSIONS, prereleases=True)) == []


@pytest.mark.parametrize("package", CHANNELS, ids=lambda package: package.name)
def test_every_channel_pins_the_base(package: Path) -> None:
    assert "agent-framework-hosting" in {needed.name for needed in requirements(package)}


def test_what_is_needed_is_what_the_contract_says() -> None:
    """Python, Agent Framework and Starlette; the extras that users have in their requirements."""
    base = project(ROOT / "packages" / "hosting")
    needed = {item.name: str(item.specifier) for item in map(Requirement, base["dependencies"])}
    assert base["requires-python"] == ">=3.11"
    assert (needed["agent-framework-core"], needed["starlette"]) == ("<2,>=1.22", "<2,>=1.3.1")
    assert {"serve", "disk"} <= set(base["optional-dependencies"])
    assert "hypercorn" in {Requirement(item).name for item in base["optional-dependencies"]["serve"]}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_names_the_pythons_that_its_tests_are_run_on(package: Path) -> None:
    said = re.search(r"The whole suite is run on Python (.+?),? which", (ROOT / "CONTRIBUTING.md").read_text())
    assert said is not None
    prefix = "Programming Language :: Python :: "
    named = [each.removeprefix(prefix) for each in project(package)["classifiers"] if each.startswith(prefix)]
    assert named == ["3 :: Only", *re.findall(r"3\.\d+", said[1])]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_is_typed_and_named_after_its_module(package: Path) -> None:
    """Type checkers look for `py.typed`; people look for the import name in the distribution's name."""
    described = project(package)
    module = described["name"].replace("-", "_")
    assert (package / "src" / module / "py.typed").is_file()
    assert "Typing :: Typed" in described["classifiers"]
    assert described["license"] == "MIT"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_package_can_be_uploaded_by_accident(package: Path) -> None:
    assert "Private :: Do Not Upload" in project(package)["classifiers"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_carries_the_licence(package: Path) -> None:
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## [{agent_framework_hosting.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
