"""Fakes for tests of hosts, channels and apps; this project's own tests stand on them.

- `ScriptedAgent` is an agent that does what a script says and remembers every run. `GeneratorAgent`, `CoroutineAgent`,
  `OptionlessAgent` and `ManagedAgent` are the same in the awkward shapes that users write.
- `ScriptedChatClient` answers a real `Agent` from a script, through the real tool loop.
- `Gate` holds a script back until the test says so; nothing here sleeps.
- `InMemoryDriver` and `LoopbackDriver` send requests to an app, without sockets or over real ones, behind one
  interface: whole answers, streams, stalled readers, disconnects. Over real sockets there are WebSockets, too.
- `PlatformServer` plays a chat platform over a real socket, records each call and answers as told: with its own answer,
  a 429, a failure, late, or never.
- `FakeClock` stands still until a test moves it.
- `SSEReader`, `read_events` and `events_from` read Server-Sent Events, strictly.
"""

from ._agent import AgentRun, AgentTurn, ScriptedAgent
from ._awkward import CoroutineAgent, GeneratorAgent, ManagedAgent, OptionlessAgent
from ._chat import ChatCall, ChatTurn, ScriptedChatClient
from ._clock import FakeClock
from ._driver import Answer, AnswerCut, Driver, StreamedAnswer
from ._gate import Gate
from ._loopback import LoopbackDriver
from ._memory import InMemoryDriver
from ._payload import PlatformFile
from ._platform import Cut, PlatformCall, PlatformReply, PlatformServer
from ._record import Outcome, Record
from ._script import Finish, ScriptExhausted, Unfinished, echo, recall
from ._socket import Socket, SocketClosed, SocketRefused
from ._sse import ServerSentEvent, SSEError, SSEReader, events_from, read_events

__all__ = [
    "AgentRun",
    "AgentTurn",
    "Answer",
    "AnswerCut",
    "ChatCall",
    "ChatTurn",
    "CoroutineAgent",
    "Cut",
    "Driver",
    "FakeClock",
    "Finish",
    "Gate",
    "GeneratorAgent",
    "InMemoryDriver",
    "LoopbackDriver",
    "ManagedAgent",
    "OptionlessAgent",
    "Outcome",
    "PlatformCall",
    "PlatformFile",
    "PlatformReply",
    "PlatformServer",
    "Record",
    "SSEError",
    "SSEReader",
    "ScriptExhausted",
    "ScriptedAgent",
    "ScriptedChatClient",
    "ServerSentEvent",
    "Socket",
    "SocketClosed",
    "SocketRefused",
    "StreamedAnswer",
    "Unfinished",
    "echo",
    "events_from",
    "read_events",
    "recall",
]
