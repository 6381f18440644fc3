"""Reads the HTML of messages as Telegram does: what is not exactly so is refused."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

_TAG: Final = re.compile(r"<(?P<end>/?)(?P<name>[a-z]+)(?P<attributes>[^<>]*)>")
_ATTRIBUTES: Final = {
    "a": re.compile(r' href="[^"<>]+"'),
    "code": re.compile(r'(?: class="language-[^"<>\s]+")?'),
}
_NAMES: Final = frozenset({"b", "i", "u", "s", "a", "code", "pre", "blockquote"})
_ENTITY: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|#\d+|#x[0-9a-fA-F]+);)")


def shown(html: str) -> str:
    """Return what is left of it once the tags are read.

    Raises:
        ValueError: Telegram would refuse it.
    """
    if _ENTITY.search(html):
        raise ValueError("can't parse entities: Unsupported entity")
    texts: list[str] = []
    opened: list[str] = []
    at = 0
    for tag in _TAG.finditer(html):
        texts.append(_text(html[at : tag.start()]))
        at = tag.end()
        if tag["end"]:
            if not opened or opened.pop() != tag["name"]:
                raise ValueError(f"can't parse entities: Unmatched end tag {tag['name']}")
        else:
            _check(tag["name"], tag["attributes"], opened)
            opened.append(tag["name"])
    texts.append(_text(html[at:]))
    if opened:
        raise ValueError(f"can't parse entities: Can't find end tag corresponding to start tag {opened[-1]}")
    return "".join(texts)


def _check(name: str, attributes: str, opened: list[str]) -> None:
    if name not in _NAMES or not _ATTRIBUTES.get(name, re.compile("")).fullmatch(attributes):
        raise ValueError(f"can't parse entities: Unsupported start tag {name}{attributes}")
    if name in opened:
        raise ValueError(f"can't parse entities: {name} inside of {name}")
    if {"code", "pre"} & {*opened} and not (name == "code" and opened[-1] == "pre"):
        raise ValueError(f"can't parse entities: {name} inside of code")
    if name in ("code", "pre") and {*opened} - {"blockquote", "pre"}:
        raise ValueError(f"can't parse entities: {name} inside of {opened[-1]}")


def _text(text: str) -> str:
    if "<" in text or ">" in text:
        raise ValueError("can't parse entities: a bare < or >")
    return unescape(text)
