"""Images that the agent made or says: `image_generation_call` items.

Rules of this file:
1. The protocol carries an image in base64 and nothing else of it; one that lies elsewhere is a link.
2. Each image is an item; what a provider shows on the way to it are events of that item alone.
3. An image that did not come has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.rendering.reading import items_of, mapping_of, text_of

from .items import Items
from .tool_items import OpenTool, ToolItems

if TYPE_CHECKING:
    from .events import Listener

_BASE64: Final = ";base64,"


class Images:
    """Puts images into items; `link` is given those that lie elsewhere."""

    def __init__(
        self,
        items: Items,
        listener: Listener,
        *,
        before_opening: Callable[[], None],
        link: Callable[[Any], None],
    ) -> None:
        self._tools = ToolItems(
            items, listener, kind="image_generation_call", prefix="ig_", before_opening=before_opening
        )
        self._link = link

    def take_call(self, content: Any, *, message: int) -> None:
        """Begin an image, unless it has begun."""
        key = text_of(content, "image_id")
        if not self._tools.is_over(key, message) and (not key or self._tools.find(key, message) is None):
            self._begin(key, message)

    def take_result(self, content: Any, *, message: int) -> None:
        """Add an image, or what can be seen of it so far."""
        key = text_of(content, "image_id")
        tool = self._tools.find(key)
        if tool is None and self._tools.is_over(key):
            return
        outputs = items_of(getattr(content, "outputs", None))
        if not outputs:
            self._fail(tool or self._begin(key, message))
        for output in outputs:
            marks = mapping_of(getattr(output, "additional_properties", None))
            if marks.get("is_partial_image") is True:
                tool = tool or self._begin(key, message)
                self._show_partial(tool, output, marks)
            else:
                self._finish(tool or self._begin(key, message), output)
                tool = None

    def show(self, content: Any, *, message: int) -> None:
        """Add an image that is there at once."""
        self._finish(self._begin("", message), content)

    def close(self, tool: OpenTool, *, is_cut: bool) -> None:
        """Close an image that did not come; the protocol has no other word for one that was cut."""
        del is_cut
        self._fail(tool)

    def still_open(self) -> list[OpenTool]:
        """Return the images that are awaited."""
        return self._tools.still_open()

    def _begin(self, key: str, message: int) -> OpenTool:
        tool = self._tools.open(key, message, result=None)
        self._tools.tell(tool, "image_generation_call.in_progress")
        self._tools.tell(tool, "image_generation_call.generating")
        return tool

    def _show_partial(self, tool: OpenTool, output: Any, marks: Mapping[str, Any]) -> None:
        index = marks.get("partial_image_index")
        if image := base64_of(output):
            number = index if isinstance(index, int) else 0
            step = "image_generation_call.partial_image"
            self._tools.tell(tool, step, partial_image_index=number, partial_image_b64=image)

    def _finish(self, tool: OpenTool, output: Any) -> None:
        image = base64_of(output)
        is_elsewhere = not image and text_of(output, "type") == "uri"
        if not image and not is_elsewhere:
            self._fail(tool)
            return
        self._tools.tell(tool, "image_generation_call.completed")
        self._tools.close(tool, "completed", result=image or None)
        if is_elsewhere:
            self._link(output)

    def _fail(self, tool: OpenTool) -> None:
        self._tools.close(tool, "failed")


def base64_of(content: Any) -> str:
    """Return the base64 of a content's data, or an empty text when its data lies elsewhere."""
    head, found, data = text_of(content, "uri").partition(_BASE64)
    return data if found and head.startswith("data:") else ""


def is_image(content: Any) -> bool:
    """Whether a `data` content can be shown as an image."""
    return text_of(content, "uri").startswith("data:image/") and base64_of(content) != ""
