"""A page's text is divided from its markup as browsers do it, through the handler and by rule."""

from __future__ import annotations

import html
import json
import re
import socket
from pathlib import Path

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.documents import DocumentRequest, generate_docs
from functions.apps.documents.markup import text_of
from functions.apps.documents.pages import MAX_BYTES
from functions.providers.openai import API

from ..conftest import MakeContext

CHAT = f"{API}/chat/completions"
PAGES = {
    "a script that looks for comments": """<!doctype html><html><body><h1>Kettle</h1>
        <p>Overview text.</p><script>function t(s){return s.indexOf("<!--")}</script>""",
    "a script in the head": '<html><head><script>var x="<!--";</script></head><h1>Kettle</h1>',
    "a style that hides itself": "<h1>Kettle</h1><style>\n<!--\np{}\n</style>",
    "a style in a value": """<h1>Kettle</h1>
        <button data-content="<style>.x{}">Help</button>""",
    "a page in a value": "<h1>Kettle</h1><iframe srcdoc='<title>x<script>'></iframe>",
}


@respx.mock
@pytest.mark.parametrize("page", PAGES)
async def test_the_model_reads_the_whole_page(
    page: str, tmp_path: Path, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUMENTS_FILES", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    source = f"{PAGES[page]}<h2>Safety</h2><p>Never open the lid while it boils."
    respx.get(host="93.184.215.14").respond(200, html=source)
    answer = {"choices": [{"message": {"content": "Keep it shut."}}]}
    chat = respx.post(CHAT).mock(return_value=httpx.Response(200, json=answer))

    request = DocumentRequest(
        title="Kettle", pages=("https://kettle.example/",), sections=("Safety",)
    )
    await generate_docs(request, context())

    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert "Kettle" in asked
    assert "Safety Never open the lid while it boils." in asked
    assert not re.search(r"[<>{}]|indexOf", asked)


SILENT = ("iframe", "noembed", "noframes", "noscript", "script", "style", "title")
INSIDE = (
    *("<!--", "<!-->", "<!-- x", "<p>", "</p>", "<a b='", '<a b="', "<nav>", "<svg>", "<template>"),
    *("<title>x", "<![CDATA[", "</", "</x", "&lt;/script&gt;", "</scriptx>", "<", "&#", "<?", "<!"),
)


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("end", ["</{}>", "</{} >", "</{}\n>", "</{}/>", "</{} a='>'>"])
def test_only_its_own_end_tag_ends_an_element_without_tags(
    name: str, inside: str, end: str
) -> None:
    for written in (name, name.upper()):
        source = f"<p>A<{written}>{inside}{end.format(written)}B"
        assert text_of(source, "text/html") == "A B"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("<textarea><p>x &amp; y<!-- z</textarea>B", "<p>x & y<!-- z B"),
        ("<xmp><p>x &amp; y<!-- z</xmp>B", "<p>x &amp; y<!-- z B"),
        ("A<script>x", "A"),  # an element that never ends
        ("A<title>x</titl>", "A"),
        # a script within a comment of a script
        ("<script><!-- <script> x </script> y --></script>B", "B"),
        ("<script><!-- <script> x --> y </script>B", "B"),
        ("<script><!-- x </script>B", "B"),
        ("<script><!--> <script> x </script>B", "B"),
        ("<script> <script> x </script>B", "B"),
        ("<script><!-- <scripts> x </script>B", "B"),
        # the text of an icon
        ("<svg><style><!-- </svg> --></style><title>x</svg>B", "B"),
        ("<svg><![CDATA[</svg>]]></svg>B", "B"),
    ],
)
def test_text_without_tags_ends_where_it_does_in_browsers(source: str, seen: str) -> None:
    assert text_of(source, "text/html") == seen


VALUES = (
    *('"<style>.x{}"', "'<script>'", '"a > b"', "'a > b' href=\"/k?sid=1\"", '"</nav>" b'),
    *('"<!--"', "a'<b", '/k?a="b', "/k'", "x=y", "", '""', "''", '"\n>\n"', "\t'>'\f"),
    *("'\"' c=\"'>\"", '">" / ', "'&quot;>'", "'<title>'x=y"),
)
TAGS = ("<b a={}>", "<b a = {}>", "</b a={}>", "<b c a={} >", "<br a={} />")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("tag", TAGS)
def test_what_a_value_holds_is_no_markup(value: str, tag: str) -> None:
    assert text_of(f"<p>A{tag.format(value)}B", "text/html") == "A B"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("<p>A<b '>B</b '>'>C", "A B '>C"),  # a quote that begins no value
        ('<p>A<b "x>B">C', 'A B">C'),
        ("<p>A<b ='>B", "A B"),
        ("<p>A<b a='>B<p>C", "A"),  # a value that never ends
        ("<p>A<b", "A"),
        ("<p>A</b", "A"),
        ("<p>A<", "A<"),
        ("<p>A</", "A</"),
        ("<p>1 < 2 <3 >", "1 < 2 <3 >"),
        ("<p>A</>B</ x>C</3>D", "A B C D"),
        ("<p>A<?php x ?>B<!x>C<![CDATA[D>E]]>", "A B C E]]>"),
        ("<p>A<b/x>B<b\x0bx>C</b\u00a0>D", "A B C D"),
    ],
)
def test_a_tag_ends_where_it_does_in_browsers(source: str, seen: str) -> None:
    assert text_of(source, "text/html") == seen


def test_data_is_text_in_xml() -> None:
    source = "<?xml version='1.0'?><p>A<![CDATA[ a < b &amp; <nav> ]]>B</p><![CDATA[C"

    assert text_of(source, "application/xml") == "A a < b &amp; <nav> B C"


TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)
QUOTED = st.text(st.characters(exclude_characters="\"'", codec="utf-8"), max_size=30)


@given(value=QUOTED, quote=st.sampled_from("'\""), text=TEXT)
def test_any_value_and_any_text_stay_apart(value: str, quote: str, text: str) -> None:
    source = f"<html><b a={quote}{value}{quote}>{html.escape(text)}</b><p>end"

    assert text_of(source).split() == [*text.split(), "end"]


MARKUP = st.sampled_from(
    [
        *(
            "<",
            "</",
            ">",
            "/",
            "=",
            '"',
            "'",
            " ",
            "a",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "&",
            "<!",
        ),
        *(f"<{slash}{name}>" for name in (*SILENT, "p", "svg", "xmp") for slash in ("", "/")),
    ]
)


@given(st.lists(MARKUP, max_size=40), st.sampled_from(["text/html", "application/xml"]))
def test_a_page_ends_in_its_own_text(parts: list[str], kind: str) -> None:
    """Whatever stands before, these marks end it in a browser, and a paragraph is seen."""
    ends = "".join(f"</{name}>" for name in (*SILENT, "xmp", "textarea", "svg"))
    source = f"<p>{''.join(parts)}]]>'>\"> -->{ends}-->{ends}<p>seen"

    assert text_of(source, kind).split()[-1] == "seen"


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        *(("", unit) for unit in ("<a x='", "<a x=", "<a x>", "<svg>", "<title>", "<textarea>")),
        *(("", unit) for unit in ("<script>", "<script><!--", "<![CDATA[", "</", "<a x = ")),
        *(("<a x", unit) for unit in ("=", " =", "='", "=''", "= x", "=\"'")),
        *(("<svg>", unit) for unit in ("<![CDATA[", "<title>", "]]>")),
        *(("<title>", unit) for unit in ("</", "</title", "&#", "<!--")),
        *(("<script>", unit) for unit in ("<!--", "<", "<!--<script>", "</script", "-->", "</")),
        *(("<script><!--<script>", unit) for unit in ("</script", "<script ", "</script ")),
        *(("<?xml?>", unit) for unit in ("<![CDATA[", "<title/>", "]]>")),
    ],
)
def test_a_hostile_page_of_the_most_bytes_is_divided(start: str, unit: str) -> None:
    """Where the steps grow with the square of the page, they take hours: the timeout ends them."""
    kind = "application/xml" if start == "<?xml?>" else "text/html"
    assert isinstance(text_of("<p>" + start + unit * (MAX_BYTES // len(unit)), kind), str)
