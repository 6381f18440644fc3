"""Where the bytes of a picture or a file are, as a value: `media`, which finds out, is loaded with the first one."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A URI, and the media type that it tells; none where the address tells nothing."""

    uri: str
    media_type: str | None

    @property
    def is_data(self) -> bool:
        """Whether the URI carries the bytes itself."""
        return self.uri.startswith("data:")
