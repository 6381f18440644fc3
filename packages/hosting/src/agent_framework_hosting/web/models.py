"""The list of models that an app offers: front ends ask for it before they send anything.

An app has one agent, so the list has one entry; which name a request gives changes nothing. Channels whose protocol
has such a list declare `model_routes` as shared siblings: several channels at one path have one list between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .._late import late, listed
from ..errors import UnknownId
from ..rendering.text import to_json
from . import _named
from .endpoint import Endpoint, send_json
from .error_objects import error_response

if TYPE_CHECKING:
    from ._types import Model, ModelList

__all__ = ["MODELS", "Model", "ModelList", "model_name", "model_routes"]

MODELS: Final = "models"
"""The key under which channels share the list."""

_OWNER: Final = "agent-framework-hosting"
_SHOWN: Final = 64
"""Characters of an unknown name that are repeated."""

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"Model": "_types", "ModelList": "_types"})
    __dir__ = listed(globals(), __all__)


def model_name(target: Any) -> str:
    """Return the name of an agent or workflow; one that a factory makes has it once the host has started."""
    name = getattr(target, "name", None)
    return name if isinstance(name, str) and name else "agent"


def model_routes(
    prefix: str, *, name: Callable[[], str], render_error: _named.RenderError = error_response
) -> list[Route]:
    """Return the routes of `<prefix>/models` and `<prefix>/models/<id>`.

    Args:
        prefix: The path that the list stands below; empty for the app's root.
        name: Returns the model's name, asked for each request: an agent may have it once the host has started.
        render_error: Says an error in the channel's protocol.

    Example:
        >>> [route.path for route in model_routes("/v1", name=lambda: "my-agent")]
        ['/v1/models', '/v1/models/', '/v1/models/{id:path}']
    """
    created = int(time.time())

    async def list_all(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        del scope, receive
        body: ModelList = {"object": "list", "data": [_model(name(), created)]}
        await send_json(send, 200, to_json(body), request_id=request_id, headers=[])

    async def read_one(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        del receive
        wanted, known = scope["path_params"]["id"], name()
        if wanted != known:
            raise UnknownId(f"The model '{wanted[:_SHOWN]}' does not exist.", param="model", code="model_not_found")
        await send_json(send, 200, to_json(_model(known, created)), request_id=request_id, headers=[])

    everything = Endpoint({"GET": list_all}, render_error=render_error)
    one = Endpoint({"GET": read_one}, render_error=render_error)
    path = f"{prefix}/models"
    return [Route(path, everything), Route(f"{path}/", everything), Route(f"{path}/{{id:path}}", one)]


def _model(name: str, created: int) -> Model:
    return {"id": name, "object": "model", "created": created, "owned_by": _OWNER}
