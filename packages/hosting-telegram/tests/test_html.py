"""Markdown becomes HTML that Telegram takes, whatever the Markdown is."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_telegram._html import render
from agent_framework_hosting_telegram.testing._entities import shown

MARKS = [*"*_~`#>-+|[]()<>&!\\\"' \n\t1.a:", "**", "```", "```py\n", "~~", "\n\n", "\n> ", "\n- ", "\n1. ", "\n    "]
TABLES_AND_LINKS = ["| a | b |\n", "|---|---|\n", '[x](http://a?b="c")', "![i](https://i)", "http://x", "<http://x>"]
OTHERS = ["<u>", "</u>", "<b>", "</b>", "&amp;", "🦊", "é", "\x00"]
PIECES = st.sampled_from([*MARKS, *TABLES_AND_LINKS, *OTHERS])
MARKDOWN = st.lists(PIECES | st.text(max_size=4), max_size=60).map("".join)


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("plain", "plain"),
        ("**b** *i* _i_ ~~s~~ `c`", "<b>b</b> <i>i</i> <i>i</i> <s>s</s> <code>c</code>"),
        ("<u>under</u> and <ins>so</ins>", "<u>under</u> and <u>so</u>"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("# Head with **bold**\ntext", "<b>Head with bold</b>\ntext"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("- one\n- two\n  - three\n\n7. seven\n8. eight", "• one\n• two\n  • three\n\n7. seven\n8. eight"),
        ("- * one\n  * two\n- 3. * three", "• • one\n  • two\n• 3. • three"),
        ("> quoted\n> > twice\n\nafter", "<blockquote>quoted\ntwice</blockquote>\n\nafter"),
        ("```python\nx < 1\n```", '<pre><code class="language-python">x &lt; 1</code></pre>'),
        ("```\nplain\n```", "<pre>plain</pre>"),
        ("```not a language!\nplain\n```", '<pre><code class="language-not">plain</code></pre>'),
        ("[text](https://a.example/?q=1&r)", '<a href="https://a.example/?q=1&amp;r">text</a>'),
        ("[text](javascript:alert(1)) [other](/path)", "[text](javascript:alert(1)) other"),
        ("<https://a.example>", '<a href="https://a.example">https://a.example</a>'),
        ("![a fox](https://a.example/fox.png)", '<a href="https://a.example/fox.png">a fox</a>'),
        ("above\n\n---\n\nbelow", "above\n\n———\n\nbelow"),
        ("**bold `code` bold**", "<b>bold </b><code>code</code><b> bold</b>"),
        ("[link `code`](https://a.example)", '<a href="https://a.example">link code</a>'),
        ("| a | b |\n|---|---|\n| long | c |", "<pre>a    | b\n-----+--\nlong | c</pre>"),
    ],
)
def test_markdown_becomes_the_tags_that_telegram_knows(markdown: str, html: str) -> None:
    assert render(markdown).html == html


@pytest.mark.parametrize(
    "begun", ["**bo", "`co", "```py\nx = ", "[te", "[text](http", "> **qu", "<u>und", "| a | b |\n|--"]
)
def test_the_beginning_of_a_text_is_well_formed(begun: str) -> None:
    assert shown(render(f"before {begun}").html) == render(f"before {begun}").shown


@given(MARKDOWN)
def test_whatever_comes_is_well_formed_and_measured_as_telegram_does(markdown: str) -> None:
    rendered = render(markdown)
    assert shown(rendered.html) == rendered.shown
    assert rendered.units == len(rendered.shown.encode("utf-16-le", "surrogatepass")) // 2


@given(MARKDOWN.map(lambda markdown: markdown.replace("\t", " ")))
def test_what_is_shown_is_never_longer_than_the_markdown(markdown: str) -> None:
    units = len(markdown.encode("utf-16-le", "surrogatepass")) // 2
    assert render(markdown, align_tables=False).units <= units


def test_an_aligned_table_may_be_longer_and_an_unaligned_one_is_as_it_was_written() -> None:
    table = "|a|b|\n|-|-|\n|long cell|c|\n|d|e|"
    assert render(table).units > len(table)
    assert render(table, align_tables=False).shown == table


def test_a_rendering_leaves_nothing_to_the_garbage_collector() -> None:
    """A message that grows is rendered at each of its edits."""
    markdown = "# Head\n\n- *one*\n\n> quoted\n\n```py\nx\n```\n\n| a | b |\n|---|---|\n| c | [d](https://d) |"
    render(markdown)
    gc.collect()
    gc.disable()
    try:
        render(markdown)
        assert gc.collect() == 0
    finally:
        gc.enable()
