"""The contract of a channel, whole."""

from __future__ import annotations

import pytest

from ._concurrency import Concurrency
from ._continuity import Continuity
from ._disconnect import Disconnect
from ._errors import Errors
from ._hooks import Hooks
from ._lifecycle import Lifecycle
from ._mounting import Mounting
from ._ownership import Ownership
from ._parsing import Parsing
from ._streams import Streams


@pytest.mark.anyio
class ChannelContract(
    Mounting, Lifecycle, Parsing, Errors, Hooks, Continuity, Ownership, Concurrency, Disconnect, Streams
):
    """Everything that a channel has to keep, as tests over real sockets: inherit, and name an adapter.

    Set `adapter` to a `ChannelAdapter` of yours (or an `HTTPAdapter`), which is called without arguments for each host
    that is served. `patience` is how long anything may take. What the adapter says that the channel lacks is skipped,
    with its reason; override `texts` if the channel does not leave all texts as they are.

    The agent in the tests answers with all that people have said so far, as `one | two`.

    Example:
        >>> from agent_framework_hosting.testing.contracts import ChannelContract, HTTPAdapter
        >>> class MyAdapter(HTTPAdapter): ...  # see the module's own example
        >>> class TestMyChannel(ChannelContract):
        ...     adapter = MyAdapter
    """
