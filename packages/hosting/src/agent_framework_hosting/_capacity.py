"""How much may be under way at once: in all, and of each principal."""

from __future__ import annotations

from .errors import LimitReached, Overloaded
from .types import Owner


class Capacity:
    """Counts what is under way, and takes no more than there is room for.

    Args:
        what: What is counted, in the plural, for those who are refused.
        most: How many at once.
        most_of_one: How many at once of one principal; as many as there is room for when left out.

    Example:
        >>> from agent_framework_hosting.types import ANONYMOUS
        >>> runs = Capacity(what="runs", most=1)
        >>> runs.enter(ANONYMOUS.owner)
        >>> runs.enter(ANONYMOUS.owner)
        Traceback (most recent call last):
        agent_framework_hosting.errors.Overloaded: The server has as many runs under way as it takes. Try again later.
    """

    __slots__ = ("_each", "_most", "_most_of_one", "_what", "held")

    def __init__(self, *, what: str, most: int, most_of_one: int | None = None) -> None:
        self.held = 0
        self._what = what
        self._most = most
        self._most_of_one = most_of_one
        self._each: dict[Owner, int] = {}

    def enter(self, owner: Owner) -> None:
        """Count one more.

        Raises:
            Overloaded: There is no room for anybody.
            LimitReached: There is no more for this principal.
        """
        if self.held >= self._most:
            raise Overloaded(f"The server has as many {self._what} under way as it takes. Try again later.")
        if self._most_of_one is not None:
            own = self._each.get(owner, 0)
            if own >= self._most_of_one:
                raise LimitReached(
                    f"You have {own} {self._what} under way, as many as this server takes of one caller. Send this one "
                    "again when another has ended."
                )
            self._each[owner] = own + 1
        self.held += 1

    def leave(self, owner: Owner) -> None:
        """Count one less; once for each that has entered."""
        self.held -= 1
        if self._most_of_one is not None:
            own = self._each.pop(owner) - 1
            if own:
                self._each[owner] = own
