"""Text that somebody else wrote cannot drive a terminal, a page or a card."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from curator.core.escape import for_html, for_json, for_markdown, for_terminal, for_terminal_lines

KINDS = {
    "escape": "\x1b",
    "backspace": "\b",
    "return": "\r",
    "delete": "\x7f",
    "C1": "\x9b",
    "override of the direction": "\u202e",
    "isolate": "\u2066",
    "mark of a direction": "\u200f",
    "Arabic mark": "\u061c",
    "zero width": "\u200b",
    "soft hyphen": "\xad",
    "line separator": "\u2028",
    "tag": "\U000e0041",
    "selector that hides data": "\U000e0150",
    "blank letter": "\u3164",
    "private use": "\ue000",
    "half of a pair": "\ud800",
    "unassigned": "\u0378",
}


@pytest.mark.parametrize("character", KINDS.values(), ids=KINDS)
def test_a_hidden_character_is_shown_as_its_code(character: str) -> None:
    shown = f"a<U+{ord(character):04X}>b"
    assert for_terminal(f"a{character}b") == for_terminal_lines(f"a{character}b") == shown
    assert for_html(f"a{character}b") == Markup("a&lt;U+{:04X}&gt;b").format(ord(character))
    document = for_json(json.dumps({character: character}, ensure_ascii=False))
    assert character not in document and json.loads(document) == {character: character}


def test_every_character_is_either_shown_by_a_terminal_or_replaced() -> None:
    for code in (*range(0x3200), *range(0xD000, 0x12000), *range(0xE0000, 0xE0200), sys.maxunicode):
        character = chr(code)
        shown = for_terminal_lines(f"a{character}")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            assert character in "\n\t" or character not in shown, hex(code)
        assert len(shown) == 2 or shown == f"a<U+{code:04X}>"


def test_usual_text_is_not_changed() -> None:
    for text in ("$\\frac{1}{2}$ ≤ 3\u00a0€", "数学 ∑ é e\u0301", "👍\ufe0f", "שלום", "ไม้เอก"):
        assert for_terminal(text) == for_terminal_lines(text) == for_json(text) == text


def test_a_cell_is_one_line() -> None:
    assert for_terminal("a\r\nb\nc\td") == "a\\nb\\nc d"


def test_a_pile_of_marks_is_cut() -> None:
    assert for_terminal("e" + "\u0301" * 6) == "e" + "\u0301" * 4 + "<U+0301>" * 2


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_json_document_keeps_its_values(value: object) -> None:
    assert json.loads(for_json(json.dumps(value, ensure_ascii=False, indent=1))) == value


def test_markup_of_our_own_is_kept_in_html() -> None:
    assert for_html(Markup("<b>1</b>")) == "<b>1</b>"
    assert for_html("<b>\"1\" & '2'</b>") == "&lt;b&gt;&#34;1&#34; &amp; &#39;2&#39;&lt;/b&gt;"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("![x](http://a/b.png)", "!\\[x\\](http&#58;//a/b.png)"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("<!-- curator:end -->", "&lt;!-- curator:end --&gt;"),
        ("a | b\n---\nc", "a \\| b --- c"),
        ("---", "\\---"),
        ("1. x", "1\\. x"),
        ("`x` $y$ *z* ~u~ _v_ w_x", "\\`x\\` \\$y\\$ \\*z\\* \\~u\\~ \\_v\\_ w_x"),
        ("www.evil.example me@evil.example", "www&#46;evil.example me&#64;evil.example"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
    ],
)
def test_text_is_no_markdown(text: str, escaped: str) -> None:
    assert for_markdown(text) == escaped
