"""What a call to a platform carries: fields and files, from wherever HTTP lets them be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

from ._sse import load_json


@dataclass(frozen=True, slots=True)
class PlatformFile:
    """A file in a call."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """The fields of a call in one mapping, and its files; `json` is the body as it was, when it was JSON."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, PlatformFile] = field(default_factory=dict[str, PlatformFile])
    json: Any = None


def read_payload(*, query: str, headers: Headers, body: bytes) -> Payload:
    """Return what a call carries; the body's fields win over the query's.

    Raises:
        ValueError: The body is not what its content type says.
    """
    asked = dict(parse_qsl(query, keep_blank_values=True))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    match kind:
        case "application/json":
            decoded = load_json(body)
            said = cast("dict[str, Any]", decoded if isinstance(decoded, dict) else {})
            return Payload({**asked, **said}, {}, decoded)
        case "application/x-www-form-urlencoded":
            return Payload({**asked, **dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))})
        case "multipart/form-data":
            return _multipart(asked, headers["content-type"], body)
        case _:
            return Payload(dict(asked))


def _multipart(asked: Mapping[str, Any], content_type: str, body: bytes) -> Payload:
    # The format is that of mail, and so is the parser; it is strict about nothing, so that is looked at here.
    parsed = BytesParser(EmailMessage, policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    parts = cast("list[EmailMessage]", parsed.get_payload()) if parsed.is_multipart() else []
    if not parts or any(part.get_param("name", header="content-disposition") is None for part in parts):
        raise ValueError("The body is no multipart/form-data: it has no parts, or a part has no name.")
    payload = Payload(dict(asked))
    for part in parts:
        name = str(part.get_param("name", header="content-disposition"))
        content = cast("bytes", part.get_payload(decode=True))
        if (filename := part.get_filename()) is not None:
            payload.files[name] = PlatformFile(filename, part.get_content_type(), content)
        else:
            payload.params[name] = content.decode()
    return payload
