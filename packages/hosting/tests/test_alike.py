"""Values that share their methods do what `dataclass` would have them do."""

from __future__ import annotations

import copy
import gc
import pickle
import typing
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

import agent_framework_hosting
from agent_framework_hosting import auth, channel, hooks
from agent_framework_hosting._alike import alike
from agent_framework_hosting.auth import authenticator
from agent_framework_hosting.web import endpoint, error_objects, models, telling


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    secret: str = field(default="s", repr=False)
    note: str = field(default="n", compare=False)
    claims: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)


@alike
@dataclass(frozen=True, slots=True)
class Alike:
    name: str
    secret: str = field(default="s", repr=False)
    note: str = field(default="n", compare=False)
    claims: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)


class Tagged(Alike):
    tag: str


GIVEN: list[dict[str, Any]] = [
    {"name": "a"},
    {"name": "b"},
    {"name": "a", "secret": "t"},
    {"name": "a", "note": "m"},
    {"name": "a", "claims": {"b": 1}},
]


@pytest.mark.parametrize("one", GIVEN)
@pytest.mark.parametrize("other", GIVEN)
def test_they_are_equal_and_hashed_and_shown_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    plain, shared = Plain(**one), Alike(**one)
    assert (plain == Plain(**other)) is (shared == Alike(**other))
    assert (hash(plain) == hash(Plain(**other))) is (hash(shared) == hash(Alike(**other)))
    assert repr(plain).replace("Plain", "Alike") == repr(shared)
    assert shared != plain
    assert shared != Tagged(**one)


def test_nothing_of_them_can_be_changed() -> None:
    value: Any = Alike("a")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        value.name = "b"
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
        del value.name
    with pytest.raises(FrozenInstanceError):
        value.other = "b"


def test_a_subclass_may_have_more() -> None:
    value: Any = Tagged("a")
    value.tag = "t"
    assert value.tag == "t"
    del value.tag
    with pytest.raises(FrozenInstanceError):
        value.name = "b"


def test_a_subclass_that_keeps_their_methods_does_not_show_or_compare_what_it_has_more() -> None:
    """As with `dataclass`, whose methods know the fields of their own class: what is left out may be a secret."""

    @dataclass(frozen=True, slots=True, repr=False, eq=False)
    class More(Alike):
        key: list[str] = field(default_factory=list[str])

    value = More("a", key=["k"])
    assert repr(value).endswith("More(name='a', note='n', claims={})")
    assert value == More("a")
    assert hash(value) == hash(More("a"))


def test_they_stay_dataclasses_that_are_copied_and_pickled() -> None:
    value = Alike("a", note="m")
    assert is_dataclass(value)
    assert [each.name for each in fields(value)] == ["name", "secret", "note", "claims"]
    assert replace(value, name="b") == Alike("b")
    assert copy.copy(value) == value == copy.deepcopy(value)
    principal = agent_framework_hosting.Principal(id="ada")
    assert pickle.loads(pickle.dumps(principal)) == principal  # noqa: S301 - it is our own


def test_what_a_class_says_itself_stays() -> None:
    @alike
    @dataclass(frozen=True, slots=True)
    class Own:
        name: str

        def __repr__(self) -> str:
            return "own"

    assert repr(Own("a")) == "own"


def test_none_of_the_methods_is_one_that_dataclass_wrote_for_the_class() -> None:
    """Each of those would be held for as long as the class."""
    other = alike(dataclass(frozen=True, slots=True)(type("Other", (), {"__annotations__": {"name": "str"}})))
    shared = ("__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")
    assert [vars(Alike)[name] for name in shared] == [vars(other)[name] for name in shared]


def test_the_class_without_slots_is_let_go_of() -> None:
    gc.collect()
    named = [each for each in gc.get_objects() if isinstance(each, type) and each.__qualname__ == "Alike"]
    assert named == [Alike]


def test_the_contract_is_found_where_channels_import_it_from() -> None:
    for name in channel.__all__:
        assert getattr(channel, name).__name__ or name
    assert set(channel.__all__) <= set(dir(channel))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(channel, "nothing")  # noqa: B009 - what type checkers would not let through
    for module in (agent_framework_hosting, auth, authenticator, hooks, endpoint, error_objects, models, telling):
        assert set(module.__all__) <= set(dir(module))
        assert all(getattr(module, name) is not None for name in module.__all__)


def test_what_the_contract_says_of_types_can_be_read_while_it_runs() -> None:
    hints = typing.get_type_hints(agent_framework_hosting.Channel.contribute)
    assert hints["context"] is channel.ChannelContext
    shown: Any = agent_framework_hosting.AgentFrameworkHost.channels
    assert channel.Channel in typing.get_args(typing.get_type_hints(shown.fget)["return"])
