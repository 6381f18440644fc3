"""Turns in memory are found by what they belong to, in the order of their making, whatever is forgotten in between."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting._state.memory import MemoryTurns
from agent_framework_hosting._state.turns import SessionName, Turn
from agent_framework_hosting.types import ANONYMOUS

MOST = 4
NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.tuples(st.sampled_from(["commit", "commit", "forget", "remove"]), NAMES, NAMES, st.integers(0, 6))


def session(session_id: str, root: str) -> SessionName:
    """Return a session, whose id may be the root of another conversation: whoever makes ids may repeat one."""
    return SessionName("default", session_id, session_id, root=root)


@given(st.lists(STEPS, max_size=24))
def test_a_conversation_has_the_turns_of_all_its_sessions_in_their_order(
    steps: Sequence[tuple[str, str, str, int]],
) -> None:
    owner, turns, kept = ANONYMOUS.owner, MemoryTurns(max_turns=MOST), list[Turn]()
    for step, session_id, root, number in steps:
        name, turn_id = session(session_id, root), str(number)
        if step == "commit":
            kept = [turn for turn in kept if turn.id != turn_id]
            kept.append(Turn(owner, turn_id, name, None, b""))
            kept = kept[-MOST:]
            turns.commit(kept[-1])
        elif step == "forget":
            turns.forget(name)
            kept = [turn for turn in kept if turn.session.session_id != session_id]
        else:
            assert turns.remove(owner, turn_id) is any(turn.id == turn_id for turn in kept)
            kept = [turn for turn in kept if turn.id != turn_id]
        for each in ("a", "b", "c"):
            assert turns.of_root("default", each) == [turn for turn in kept if turn.session.root == each]
