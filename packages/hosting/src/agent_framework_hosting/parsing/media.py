"""Where the bytes of a picture or a file are: in the request, or at an address that is passed on and never opened here.

Rule 1: what a client of a model receives is well-formed, so that a mistake of the caller's is the caller's to hear of.
Rule 2: data is looked at where it lies; big ones are neither decoded nor copied to be checked.
Rule 3: every picture and file has a media type, because clients of Agent Framework fail over one that has none.
"""

from __future__ import annotations

import mimetypes
import re
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from agent_framework import detect_media_type_from_base64

from .checks import filled
from .places import Place
from .refusals import wrong_value

UNKNOWN: Final = "application/octet-stream"
"""The media type of bytes about which nothing is known."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]++={0,2}")
_HEADER: Final = re.compile(
    r"data:(?P<media_type>[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100})?(?P<parameters>(?:;[^;,=\s]+=[^;,\s]*)*);base64",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_HEADER: Final = 1024
_ADDRESS: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\.[a-z0-9]{1,10}")
_SIGNATURE: Final = 1024
"""Characters of base64 that tell a format by its first bytes; a multiple of four."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_LATER_TYPES: Final = {
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".heic": "image/heic",
    ".md": "text/markdown",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".webp": "image/webp",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
}
"""What the standard library learnt only after Python 3.11, or knows from the machine's own tables alone."""


def read_uri(value: object, param: str) -> Place:
    """Return where a URL leads: `http`, `https`, or a data URL with base64.

    Raises:
        InvalidRequest: It is malformed, or of another scheme.
    """
    uri = filled(value, param)
    if uri[:5].lower() == "data:":
        return _read_data_url(uri, param)
    if not _ADDRESS.fullmatch(uri):
        raise wrong_value(param, "be an http or https URL, or a data URL ('data:<media type>;base64,<data>')")
    try:
        parts = urlsplit(uri)
        path, host = parts.path, parts.hostname
    except ValueError:  # brackets that enclose no address
        host = path = ""
    if not host:
        raise wrong_value(param, "be a URL that names a host")
    return Place(uri, media_type_of(path))


def read_base64(value: object, param: str, *, media_type: str | None) -> Place:
    """Return bare base64 as a data URL; without a media type, its first bytes tell one.

    Raises:
        InvalidRequest: It is no base64.
    """
    data = filled(value, param)
    _check_base64(data, 0, param)
    known = media_type or _detected(data[:_SIGNATURE]) or UNKNOWN
    return Place(f"data:{known};base64,{data}", known)


def media_type_of(name: str | None) -> str | None:
    """Return the media type that the end of a file's name tells, if any; the same on every machine."""
    extension = "." + (name or "").rpartition(".")[2].lower()
    return _types().get(extension) if _EXTENSION.fullmatch(extension) else None


def _read_data_url(uri: str, param: str) -> Place:
    end = uri.find(",", 0, _LONGEST_HEADER)
    header = _HEADER.fullmatch(uri, 0, end) if end > 0 else None
    if header is None:
        raise wrong_value(param, "be a data URL of the form 'data:<media type>;base64,<data>'")
    _check_base64(uri, end + 1, param)
    media_type = (header["media_type"] or _detected(uri[end + 1 : end + 1 + _SIGNATURE]) or UNKNOWN).lower()
    written = f"data:{header['media_type'] or media_type}{header['parameters']};base64,"
    if not uri.startswith(written):
        # Agent Framework and the providers behind it know the lower-case form only.
        uri = written + uri[end + 1 :]
    return Place(uri, media_type)


def _check_base64(text: str, start: int, param: str) -> None:
    if (len(text) - start) % 4 or not _BASE64.fullmatch(text, start):
        raise wrong_value(param, "hold base64 of the standard alphabet, padded, without line breaks")


def _detected(beginning: str) -> str | None:
    return detect_media_type_from_base64(data_str=beginning)


@cache
def _types() -> dict[str, str]:
    # The standard library reads the machine's own tables first, which takes as much memory as all the rest of parsing.
    tables = mimetypes.MimeTypes()
    return {**tables.types_map[False], **tables.types_map[True], **_LATER_TYPES}
