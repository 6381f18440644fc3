"""All that is said to people in the host's name, for those who want to say it in other words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What people are told. An empty text is not said at all.

    Example:
        >>> Phrases(refused="").refused
        ''
    """

    refused: str = "Sorry, I may not talk to you. Please ask whoever runs me."
    """To somebody who is not let in, once."""
    busy: str = "I am still working on your earlier messages, and cannot take more of them right now."
    """To somebody whose message was not taken, because too many wait."""
    failed: str = "Sorry, I could not answer: {reason}"
    """When a run fails; `{reason}` is a sentence that says nothing of the inside, with the id of the error."""
    given_up: str = "Sorry, I have tried to answer your message several times, and could not."
    interrupted: str = "(This answer was stopped.)"
    """Behind an answer that something else has stopped."""
    restarting: str = "I have to restart. Please send your last message again in a moment."
    """When the host stops and keeps nothing that it has accepted."""
    nothing: str = "(I have nothing to say to that.)"
    """When the agent's answer has neither text nor files."""

    stopped: str = "Stopped."
    nothing_to_stop: str = "There is nothing to stop."
    started_afresh: str = "A new conversation begins."
    help: str = "Write to me as you would to a person. I also know these commands:"
    """Above the list of commands."""
    new_command: str = "Begin a new conversation"
    stop_command: str = "Stop what I am doing"
    help_command: str = "Say what I can do"

    approval: str = "May I do this?"
    """Above what the agent wants to do."""
    outdated: str = "That is not open any more."
    """To somebody who has pressed a button of something that was answered before, or asked of somebody else."""
    approval_hint: str = "Answer “{yes}” to allow it. Any other answer means no."
    yes: tuple[str, ...] = ("yes", "y", "ok", "okay", "allow", "approve")
    """What counts as yes; the first one is shown."""
    no: tuple[str, ...] = ("no", "n", "deny", "refuse")
    """What counts as no and is not passed on to the agent; the first one is shown."""

    file_kind: str = "I cannot take files of this kind: {name}."
    file_size: str = "This is too large for me: {name}. I can take {limit} with one message."
    file_count: str = "These are too many files. I can take {limit} with one message."
    file_lost: str = "I could not get this file: {name}. Please send it again."
