"""From Markdown to the HTML that Telegram takes, and to what is left of it once Telegram has read the tags.

1. The HTML is well-formed whatever the Markdown is, also when it is the beginning of one; unknown tags are text.
2. What is shown is never longer than the Markdown, but for tables whose columns are aligned, and for tabs that indent,
   which become spaces: `Rendered.units` tells.
3. Code holds no tags, a link no link, a quotation no quotation (https://core.telegram.org/bots/api#html-style).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import ClassVar, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER: Final = MarkdownIt("commonmark").enable(["strikethrough", "table"]).disable(["html_block"])
_LINK: Final = re.compile(r"(?:https?|tg|mailto):", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"[\w+#.-]{1,32}")
_STYLES: Final = {"strong": "b", "em": "i", "s": "s"}
_UNDERLINE: Final = {"<u>": True, "<ins>": True, "</u>": False, "</ins>": False}
"""Markdown has no underline; agents write it as these."""
_LINE: Final = "———"
_BULLET: Final = "•"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as it is sent, and as it is shown."""

    html: str
    shown: str

    @property
    def units(self) -> int:
        """The length that Telegram counts: UTF-16 units of what is shown."""
        return len(self.shown) + sum(character > "\uffff" for character in self.shown)


def render(markdown: str, *, align_tables: bool = True) -> Rendered:
    """Return Markdown as HTML for Telegram.

    Args:
        markdown: What the agent wrote, or its beginning.
        align_tables: Whether columns are aligned, which may make the text longer; else tables stay as they are.

    Example:
        >>> render("**Done**, see [the log](https://example.org/?a&b): `x < y`").html
        '<b>Done</b>, see <a href="https://example.org/?a&amp;b">the log</a>: <code>x &lt; y</code>'
    """
    return _Renderer(markdown, align_tables=align_tables).rendered()


def html_from_markdown(markdown: str) -> str:
    r"""Return Markdown as HTML for Telegram's `parse_mode="HTML"`.

    Example:
        >>> html_from_markdown("# Done\n- *all* of `it`")
        '<b>Done</b>\n• <i>all</i> of <code>it</code>'
    """
    return render(markdown).html


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    opening: str


class _Writer:
    """Writes text inside of the tags that are wanted just then; a tag is opened by the first text inside of it."""

    def __init__(self) -> None:
        self.html: list[str] = []
        self.shown: list[str] = []
        self._wanted: list[_Tag] = []
        self._opened: list[_Tag] = []

    def want(self, name: str, opening: str = "") -> None:
        self._wanted.append(_Tag(name, opening or f"<{name}>"))

    def unwant(self, name: str) -> None:
        for index in range(len(self._wanted) - 1, -1, -1):
            if self._wanted[index].name == name:
                del self._wanted[index]
                return

    def wants(self, name: str) -> bool:
        return any(tag.name == name for tag in self._wanted)

    def write(self, text: str) -> None:
        if text:
            self._open(self._distinct())
            self._put(escape(text, quote=False), text)

    def write_code(self, text: str, *, opening: str = "<code>", closing: str = "</code>") -> None:
        if text and self.wants("a"):
            self.write(text)
        elif text:
            self._open([tag for tag in self._distinct() if tag.name == "blockquote"])
            self._put(f"{opening}{escape(text, quote=False)}{closing}", text)

    def break_line(self, count: int = 1) -> None:
        self._close([tag for tag in self._opened if tag in self._wanted])
        self._put("\n" * count, "\n" * count)

    def end(self) -> None:
        self._close([])

    def _distinct(self) -> list[_Tag]:
        return list({tag.name: tag for tag in reversed(self._wanted)}.values())[::-1]

    def _open(self, tags: Sequence[_Tag]) -> None:
        self._close(tags)
        for tag in tags[len(self._opened) :]:
            self.html.append(tag.opening)
            self._opened.append(tag)

    def _close(self, kept: Sequence[_Tag]) -> None:
        common = 0
        while common < min(len(kept), len(self._opened)) and kept[common] == self._opened[common]:
            common += 1
        while len(self._opened) > common:
            self.html.append(f"</{self._opened.pop().name}>")

    def _put(self, html: str, text: str) -> None:
        self.html.append(html)
        self.shown.append(text)


class _Renderer:
    def __init__(self, markdown: str, *, align_tables: bool) -> None:
        self._tokens = _PARSER.parse(markdown)
        self._lines = markdown.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._aligns = align_tables
        self._writer = _Writer()
        self._depth = 0
        self._follows_marker = False
        self._links: list[str] = []
        self._table: _Table | None = None

    def rendered(self) -> Rendered:
        for token in self._tokens:
            if block := self._BLOCKS.get(token.type):
                block(self, token)
        self._writer.end()
        return Rendered("".join(self._writer.html), "".join(self._writer.shown))

    def _begin(self, token: Token) -> None:
        """Go to a new line for a block, or to the second one where the Markdown has left one blank."""
        if self._follows_marker:
            self._follows_marker = False
            self._writer.write(" ")
            return
        if not self._writer.shown:
            return
        line = token.map[0] if token.map else 0
        is_apart = line > 0 and not self._lines[line - 1].strip(" \t>")
        self._writer.break_line(2 if is_apart else 1)

    def _heading(self, token: Token) -> None:
        self._begin(token)
        self._writer.want("b")

    def _heading_end(self, _: Token) -> None:
        self._writer.unwant("b")

    def _quotation(self, _: Token) -> None:
        self._writer.want("blockquote")

    def _quotation_end(self, _: Token) -> None:
        self._writer.unwant("blockquote")

    def _rule(self, token: Token) -> None:
        self._begin(token)
        self._writer.write(_LINE)

    def _code(self, token: Token) -> None:
        self._begin(token)
        language = token.info.strip().partition(" ")[0]
        code = token.content.removesuffix("\n")
        if _LANGUAGE.fullmatch(language):
            opening, closing = f'<pre><code class="language-{escape(language)}">', "</code></pre>"
            self._writer.write_code(code, opening=opening, closing=closing)
        else:
            self._writer.write_code(code, opening="<pre>", closing="</pre>")

    def _list(self, _: Token) -> None:
        self._depth += 1

    def _list_end(self, _: Token) -> None:
        self._depth -= 1
        self._follows_marker = False

    def _item(self, token: Token) -> None:
        indent = "" if self._follows_marker else "  " * (self._depth - 1)
        self._begin(token)
        marker = f"{token.info}{token.markup}" if token.info else _BULLET
        self._writer.write(f"{indent}{marker}")
        self._follows_marker = True

    # -------------------------------------------------------------------------------------------------- tables

    def _table_begin(self, token: Token) -> None:
        self._begin(token)
        self._table = _Table(source=self._lines[slice(*token.map)] if token.map else [])

    def _row(self, _: Token) -> None:
        if self._table is not None:
            self._table.rows.append([])

    def _table_end(self, _: Token) -> None:
        table, self._table = self._table, None
        if table is not None:
            text = table.aligned() if self._aligns else "\n".join(line.strip() for line in table.source)
            self._writer.write_code(text, opening="<pre>", closing="</pre>")

    # -------------------------------------------------------------------------------------------------- inside lines

    def _inline(self, token: Token) -> None:
        if self._table is not None:
            self._table.rows[-1].append(_plain(token.children or []))
            return
        for child in token.children or []:
            self._span(child)
        while self._writer.wants("u"):
            self._writer.unwant("u")

    def _span(self, token: Token) -> None:
        kind, _, side = token.type.rpartition("_")
        if kind in _STYLES:
            (self._writer.want if side == "open" else self._writer.unwant)(_STYLES[kind])
        elif token.type == "link_open":
            self._link(str(token.attrs.get("href", "")))
        elif token.type == "link_close":
            self._writer.unwant(self._links.pop())
        elif token.type == "image":
            self._link(str(token.attrs.get("src", "")))
            self._writer.write(_plain(token.children or []))
            self._writer.unwant(self._links.pop())
        elif token.type == "html_inline" and token.content.lower() in _UNDERLINE:
            (self._writer.want if _UNDERLINE[token.content.lower()] else self._writer.unwant)("u")
        elif token.type == "code_inline":
            self._writer.write_code(token.content)
        else:
            self._writer.write(_text(token))

    def _link(self, address: str) -> None:
        # What is no link for Telegram has an end all the same.
        is_one = _LINK.match(address) is not None and not self._writer.wants("a")
        self._links.append("a" if is_one else "")
        if is_one:
            self._writer.want("a", f'<a href="{escape(address)}">')

    # Of the class: with methods of its own in it, each rendering would wait for the garbage collector.
    _BLOCKS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "paragraph_open": _begin,
        "heading_open": _heading,
        "heading_close": _heading_end,
        "inline": _inline,
        "fence": _code,
        "code_block": _code,
        "hr": _rule,
        "blockquote_open": _quotation,
        "blockquote_close": _quotation_end,
        "bullet_list_open": _list,
        "bullet_list_close": _list_end,
        "ordered_list_open": _list,
        "ordered_list_close": _list_end,
        "list_item_open": _item,
        "table_open": _table_begin,
        "tr_open": _row,
        "table_close": _table_end,
    }


@dataclass(slots=True)
class _Table:
    source: list[str]
    rows: list[list[str]]

    def __init__(self, *, source: list[str]) -> None:
        self.source = source
        self.rows = []

    def aligned(self) -> str:
        widths = [max(map(len, column)) for column in zip_longest(*self.rows, fillvalue="")]
        lines = [
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
            for row in self.rows
        ]
        lines[1:1] = ["-+-".join("-" * width for width in widths)]
        return "\n".join(lines)


def _plain(tokens: Sequence[Token]) -> str:
    return "".join(_plain(token.children) if token.children else _text(token) for token in tokens)


def _text(token: Token) -> str:
    return "\n" if token.type in ("softbreak", "hardbreak") else token.content
