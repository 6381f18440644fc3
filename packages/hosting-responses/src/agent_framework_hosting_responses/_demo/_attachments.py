"""What the offline model can say of images and files: of which kind and size they are, never what they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from agent_framework import Content

_NAMED: Final = 10
_SHOWN: Final = 200
_KINDS: Final = {"image": "an image", "audio": "a sound", "video": "a video"}


def describe(contents: Iterable[Content]) -> tuple[str, ...]:
    """Return one description for each image or file among the contents.

    Example:
        >>> describe([Content.from_data(b"GIF89a", "image/gif")])
        ('an image (image/gif, 6 bytes)',)
    """
    return tuple(_description(content) for content in contents if content.type in {"data", "uri", "hosted_file"})


def listed(descriptions: Sequence[str]) -> str:
    """Return descriptions as one phrase, at most ten of them in full."""
    named = list(descriptions[:_NAMED])
    if len(descriptions) > _NAMED:
        named.append(f"{len(descriptions) - _NAMED} more")
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _description(content: Content) -> str:
    media_type = content.media_type or ""
    kind = _KINDS.get(media_type.partition("/")[0], "a file")
    if name := content.name:
        kind += f' named "{_shortened(name)}"'
    uri = content.uri or ""
    facts = [media_type] if media_type and not media_type.endswith("/*") else []
    if content.type == "data":
        size = _size(uri)
        facts.append("1 byte" if size == 1 else f"{size} bytes")
    elif content.type == "uri":
        kind += f" at {_shortened(uri)}"
    else:
        kind += f" with the id {_shortened(content.file_id or '')}"
    return f"{kind} ({', '.join(facts)})" if facts else kind


def _size(uri: str) -> int:
    """Return how many bytes a data URI holds, by arithmetic where it is base64."""
    head, _, data = uri.partition(",")
    if head.endswith(";base64"):
        return len(data.rstrip("=")) * 3 // 4
    return len(unquote_to_bytes(data))


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
