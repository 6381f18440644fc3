"""Answers without keys in them: whole, streamed and stored. What the agent remembers stays as it was said.

The stream update hook sees what is streamed, one update at a time, and a key may be split over several: whatever may be
the beginning of one is held back until more has come, or until the update that carries the finish reason, which chat
clients send last. The response hook has the last word on the final body, of a stream too, and so on what is stored.
Calls of the agent's own tools are not shown at all; arguments for the tools of a caller pass as they are.

Run it:  .venv/bin/python samples/hooks/redact.py
Try it:  curl -sN http://127.0.0.1:8000/responses --json '{"input": "The key is sk-123abc, keep it.", "stream": true}'
"""

import os
import re
from contextvars import ContextVar
from copy import copy
from typing import Any

from agent_framework import Agent, AgentResponseUpdate, Content, Message

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, HostedRunResult
from agent_framework_hosting.testing import ScriptedChatClient
from agent_framework_hosting_responses import ResponsesChannel

SECRET = re.compile(r"sk-\w+")
BEGINNING = re.compile(r"(s|sk|sk-\w*)\Z")  # a secret, cut off anywhere: the two must agree
MASK = "[key]"


class Redactor:
    """Takes the contents of one answer as they come, and returns what may be shown by now."""

    def __init__(self) -> None:
        self.held: Content | None = None

    def take(self, contents: list[Content], *, is_last: bool) -> list[Content]:
        """Return the contents without secrets; what may be the beginning of one comes with a later call."""
        shown: list[Content] = []
        for content in contents:
            if content.type == "usage":  # may come between two pieces of one text
                shown.append(content)
                continue
            if self.held is not None and self.held.type != content.type:
                shown += self.rest()
            shown += self.settle(content) if content.type in ("text", "text_reasoning") else [content]
        return shown + self.rest() if is_last else shown

    def settle(self, content: Content) -> list[Content]:
        """Return the part of a text that no later text can change, and hold back what follows."""
        text = (self.held.text or "" if self.held else "") + (content.text or "")
        whole = [match.end() for match in SECRET.finditer(text) if match.end() < len(text)]
        beginning = BEGINNING.search(text, whole[-1] if whole else 0)
        end = beginning.start() if beginning else len(text)
        self.held = with_text(content, text[end:]) if beginning else None
        return [with_text(content, SECRET.sub(MASK, text[:end]))] if end else []

    def rest(self) -> list[Content]:
        """Return what was held back, now that nothing follows it."""
        held, self.held = self.held, None
        return [with_text(held, SECRET.sub(MASK, held.text or ""))] if held else []


def with_text(content: Content, text: str) -> Content:
    """Return a copy: the content itself is what the agent's history is made of."""
    changed = copy(content)
    changed.text = text
    return changed


redactor: ContextVar[Redactor] = ContextVar("redactor")


def begin(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Start afresh for this request; it runs in the context in which its updates will come."""
    redactor.set(Redactor())
    return request


def redact_update(update: AgentResponseUpdate) -> AgentResponseUpdate | None:
    """Return what may be streamed by now."""
    shown = copy(update)
    shown.contents = redactor.get().take(update.contents, is_last=update.finish_reason is not None)
    return shown if shown.contents or update.finish_reason else None


def redact_result(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
    """Return the final answer without secrets."""
    response = copy(result.result)
    response.messages = [redacted(message) for message in response.messages]
    return result.replace(result=response)


def redacted(message: Message) -> Message:
    """Return a copy of the message without secrets."""
    changed = copy(message)
    changed.contents = Redactor().take(message.contents, is_last=True)
    return changed


def repeat(call: Any) -> list[str]:
    """Answer with what was said, in pieces that care for nothing."""
    said = call.messages[-1].text
    return [said[start : start + 3] for start in range(0, len(said), 3)]


channel = ResponsesChannel(
    run_hook=begin, stream_update_hook=redact_update, response_hook=redact_result, show_tool_calls=False
)
host = AgentFrameworkHost(Agent(ScriptedChatClient(every=repeat)), channels=[channel])  # any agent of yours

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
