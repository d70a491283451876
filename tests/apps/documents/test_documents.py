"""A document is written section by section, and no section is paid for twice."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.documents import DocumentRequest, app, generate_docs
from functions.apps.documents.decoding import decode
from functions.apps.documents.markup import text_of
from functions.apps.documents.pages import MAX_BYTES
from functions.providers.openai import API
from shared import Discard
from shared.fetch import FetchFailed
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext
from ..declared import QueueRequirement

CHAT = f"{API}/chat/completions"
PAGE = "<html><head><title>x</title></head><body><h1>Kettle</h1><p>It boils &amp; stops.</p></body>"
REQUEST = DocumentRequest(
    title="Kettle", pages=("https://kettle.example/",), sections=("Overview", "Use", "Care")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCUMENTS_FILES", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    return tmp_path


def answer(request: httpx.Request) -> httpx.Response:
    """A model that writes which section it was asked for."""
    question = json.loads(request.content)["messages"][1]["content"]
    section = question.rpartition(": ")[2]
    return httpx.Response(200, json={"choices": [{"message": {"content": f"About {section}."}}]})


def document(result: dict[str, object]) -> str:
    return Path(unquote(urlsplit(str(result["document"])).path)).read_text(encoding="utf-8")


def test_the_queue_has_the_numbers_of_the_requirements() -> None:
    assert set(app.queues) == {"documentation-generation"}
    day = 86_400.0
    QueueRequirement(
        concurrency=5,
        waits=(5.0, 10.0),
        completed=(1_000_000, 7 * day),
        dead=(1_000_000, 14 * day),
    ).check(app.queues["documentation-generation"])


@respx.mock
async def test_the_document_has_every_section_in_order(folder: Path, context: MakeContext) -> None:
    respx.get(host="93.184.215.14").respond(200, text=PAGE)
    chat = respx.post(CHAT).mock(side_effect=answer)
    job = context("doc1", queue="documentation-generation")

    result = await generate_docs(REQUEST, job)

    assert document(result) == (
        "# Kettle\n\n## Overview\n\nAbout Overview.\n\n## Use\n\nAbout Use.\n\n"
        "## Care\n\nAbout Care.\n"
    )
    assert result["sections"] == 3
    assert job.last_progress == {"progress": 100}
    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert "Kettle It boils & stops." in asked


@respx.mock
async def test_a_further_attempt_goes_on_after_the_last_section(folder: Path) -> None:
    respx.get(host="93.184.215.14").respond(200, text=PAGE)
    clock = FakeClock()
    healthy = [True, False, True, True]
    chat = respx.post(CHAT).mock(
        side_effect=lambda request: answer(request) if healthy.pop(0) else httpx.Response(503)
    )

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, generate_docs, REQUEST, clock=clock)

    assert (view.state, view.attempts) == ("completed", 2)
    assert chat.call_count == 4  # three sections, and the one that failed
    assert view.history["progress"] == 100


@respx.mock
async def test_another_request_under_the_same_id_uses_no_old_section(
    folder: Path, context: MakeContext
) -> None:
    respx.get(host="93.184.215.14").respond(200, text=PAGE)
    chat = respx.post(CHAT).mock(side_effect=answer)
    await generate_docs(REQUEST, context("doc1"))

    other = REQUEST.model_copy(update={"title": "Pan", "sections": ("Oil",)})
    result = await generate_docs(other, context("doc1"))

    assert document(result) == "# Pan\n\n## Oil\n\nAbout Oil.\n"
    assert chat.call_count == 4


@respx.mock
async def test_a_page_of_the_application_s_own_files_is_read_there(
    folder: Path, context: MakeContext
) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / "kettle.html").write_text(PAGE, encoding="utf-8")
    chat = respx.post(CHAT).mock(side_effect=answer)

    own = DocumentRequest(title="Kettle", pages=("file:kettle.html",), sections=("Use",))
    await generate_docs(own, context())

    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert "Kettle It boils & stops." in asked


WORDS = "<p>Größe € 10</p>"
JAPANESE = "<p>日本語の薬缶</p>"


def declared(name: str, text: str, encoding: str) -> bytes:
    return f'<html><head><meta charset="{name}"></head>{text}'.encode(encoding)


def http_equiv(name: str, text: str) -> bytes:
    head = f'<meta http-equiv="Content-Type" content="text/html; charset={name}">'
    return f"{head}{text}".encode(name)


@pytest.mark.parametrize(
    ("content", "content_type", "seen"),
    [
        (WORDS.encode(), "", "Größe € 10"),
        (declared("windows-1252", WORDS, "cp1252"), "", "Größe € 10"),
        (declared("iso-8859-1", WORDS, "cp1252"), "", "Größe € 10"),  # as browsers read it
        (http_equiv("windows-1252", WORDS), "text/html", "Größe € 10"),
        (declared("shift_jis", JAPANESE, "shift_jis"), "", "日本語の薬缶"),
        (declared("Shift_JIS", JAPANESE, "shift_jis"), "", "日本語の薬缶"),
        (declared("euc-jp", JAPANESE, "euc_jp"), "", "日本語の薬缶"),
        (declared("gb2312", "<p>汉语</p>", "gb18030"), "", "汉语"),
        (declared("koi8-r", "<p>Чай</p>", "koi8-r"), "", "Чай"),
        (
            b'<?xml version="1.0" encoding="windows-1252"?>' + WORDS.encode("cp1252"),
            "",
            "Größe € 10",
        ),
        (JAPANESE.encode("shift_jis"), "text/html; charset=Shift_JIS", "日本語の薬缶"),
        (WORDS.encode("cp1252"), 'text/html; charset="windows-1252"', "Größe € 10"),
        (JAPANESE.encode("utf-16-le"), "text/html; charset=utf-16le", "日本語の薬缶"),
        # a byte order mark before the server, the server before the page
        (declared("windows-1252", WORDS, "utf-8-sig"), "text/html; charset=koi8-r", "Größe € 10"),
        (declared("koi8-r", WORDS, "utf-8"), "text/html; charset=utf-8", "Größe € 10"),
        (JAPANESE.encode("utf-16"), "", "日本語の薬缶"),
        (b"\xfe\xff" + JAPANESE.encode("utf-16-be"), "", "日本語の薬缶"),
        (JAPANESE.encode("utf-32"), "", "日本語の薬缶"),
        # names of none that is known, and one that its own page contradicts
        (declared("utf-16", WORDS, "utf-8"), "", "Größe € 10"),
        *(
            (declared(name, WORDS, "utf-8"), f"text/html; charset={name}", "Größe € 10")
            for name in ("none", "rot13", "zlib", "idna", "punycode", "undefined", "unicode_escape")
        ),
        (b"<p>a\xffb</p>", "", "a\ufffdb"),
        (b"", "", ""),
        (b"\xef\xbb\xbf", "", ""),
    ],
)
def test_a_page_is_read_in_its_own_encoding(content: bytes, content_type: str, seen: str) -> None:
    assert text_of(decode(content, content_type)) == seen


STANDARD = {  # https://encoding.spec.whatwg.org/#names-and-labels: the labels of each encoding
    "iso8859-8": "csiso88598i iso-8859-8-i logical visual iso-ir-138",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "big5": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "cp949": "cseuckr euc-kr korean ks_c_5601-1987 ks_c_5601-1989 ksc_5601 windows-949",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "cp866": "866 cp866 csibm866 ibm866",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 iso-8859-1 iso_8859-1:1987 latin1 us-ascii",
    "cp1254": "cp1254 iso-8859-9 iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254",
    "iso8859-7": "ecma-118 elot_928 greek8 iso_8859-7:1987 sun_eu_greek",
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 utf8 utf-8 x-unicode20utf8 utf_8",
}
SAMPLES = {
    "iso8859-8": "קומקום",
    "cp874": "กาต้มน้ำ",
    **dict.fromkeys(("cp932", "euc_jp", "iso2022_jp"), "日本語の薬缶"),
    **dict.fromkeys(("gb18030", "big5"), "水壶"[:1]),
    "cp949": "주전자",
    **dict.fromkeys(("koi8-u", "mac-cyrillic", "cp866"), "Чайник"),
    "iso8859-7": "βραστήρας",
}


@pytest.mark.parametrize("codec", STANDARD)
@pytest.mark.parametrize("where", ["server", "page"])
def test_every_label_that_browsers_know_is_read(codec: str, where: str) -> None:
    seen = SAMPLES.get(codec, "Größe")
    for label in STANDARD[codec].split():
        head = "" if where == "server" else f"<meta charset={label.upper()}>"
        kind = f"text/html; charset={label}" if where == "server" else ""
        content = f"{head}<p>{seen}</p>".encode(codec)
        assert text_of(decode(content, kind)) == seen, label


@pytest.mark.parametrize(
    ("content", "content_type", "told"),
    [
        ("<p>Größe".encode("cp1252"), "text/html; charset=x-nobody", "'x-nobody' is none that"),
        (b"<meta charset=x-nobody>\xff", "", "'x-nobody' is none that"),
        (
            "<p>주전자".encode("iso2022_kr"),
            "text/html; charset=ISO-2022-KR",
            "'ISO-2022-KR' is none",
        ),
        (b"<meta charset=hz-gb-2312>~{<:Ky~}", "", "'hz-gb-2312' is none"),
        (("<p>" + "日本語の薬缶" * 5).encode("cp932"), "", "names none"),
        (
            ("<p>" + "Чайник " * 9).encode("cp1251"),
            "text/html; charset=utf-8",
            "not in the encoding",
        ),
    ],
)
def test_a_page_that_can_t_be_read_is_told(content: bytes, content_type: str, told: str) -> None:
    with pytest.raises(Discard, match=told):
        decode(content, content_type)


@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_bytes_are_text_or_refused(content: bytes, content_type: str) -> None:
    try:
        assert "\0" not in decode(content, content_type)
    except Discard:
        return


NO_PAGES = {
    "a PDF": b"%PDF-1.7\n1 0 obj\n",
    "a PNG picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a JPEG picture": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "a GIF picture": b"GIF89a\x01",
    "a ZIP archive": b"PK\x03\x04\x14",
    "compressed": b"\x1f\x8b\x08",
    "no text": b"RIFF\0\0\0\0WEBP",
    "UTF-16 that does not say so": "<p>x</p>".encode("utf-16-le"),
}


@respx.mock
@pytest.mark.parametrize("kind", NO_PAGES)
@pytest.mark.parametrize("own", [True, False])
async def test_a_page_that_is_no_text_is_refused_before_anything_is_paid(
    folder: Path, context: MakeContext, kind: str, *, own: bool
) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / "good.html").write_text(PAGE, encoding="utf-8")
    (folder / "pages" / "bad").write_bytes(NO_PAGES[kind])
    respx.get(host="93.184.215.14").respond(
        200, content=NO_PAGES[kind], headers={"content-type": "text/html; charset=utf-8"}
    )
    chat = respx.post(CHAT).mock(side_effect=answer)
    pages = ("file:good.html", "file:bad" if own else "https://kettle.example/")

    with pytest.raises(Discard, match=f"a page is .*{kind}"):
        await generate_docs(REQUEST.model_copy(update={"pages": pages}), context())
    assert not chat.called


@respx.mock
async def test_the_server_s_encoding_reaches_the_page(folder: Path, context: MakeContext) -> None:
    respx.get(host="93.184.215.14").respond(
        200,
        content=JAPANESE.encode("euc_jp"),
        headers={"content-type": "text/html; charset=EUC-JP"},
    )
    chat = respx.post(CHAT).mock(side_effect=answer)

    await generate_docs(REQUEST.model_copy(update={"sections": ("Use",)}), context())

    assert "日本語の薬缶" in json.loads(chat.calls[0].request.content)["messages"][1]["content"]


@respx.mock
@pytest.mark.parametrize(
    "url", ["https://kettle.example/p?sig=SECRET", "https://kettle.example/p#SECRET"]
)
async def test_the_model_never_reads_the_secrets_in_an_address(
    folder: Path, context: MakeContext, url: str
) -> None:
    respx.get(host="93.184.215.14").respond(200, text=PAGE)
    chat = respx.post(CHAT).mock(side_effect=answer)

    await generate_docs(REQUEST.model_copy(update={"pages": (url,)}), context())

    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert "https://kettle.example/p?…" in asked
    assert "SECRET" not in asked


@respx.mock
async def test_pages_without_text_are_refused(folder: Path, context: MakeContext) -> None:
    respx.get(host="93.184.215.14").respond(200, html="<script>var a = 1</script>")

    with pytest.raises(Discard, match="no text"):
        await generate_docs(REQUEST, context())


@respx.mock
async def test_a_server_that_fails_now_is_asked_again_later(
    folder: Path, context: MakeContext
) -> None:
    respx.get(host="93.184.215.14").respond(503)

    with pytest.raises(FetchFailed):
        await generate_docs(REQUEST, context())


@pytest.mark.parametrize("end", ["", ">", ";", "<"])
@pytest.mark.parametrize(
    ("start", "unit"),
    [
        *(("", unit) for unit in ("<!--", '<a x="', "<a ", "<", "<![", "</nav", "&", "<a/")),
        *(("<", unit) for unit in ("a", "A-", "a ", "a/", "a=")),
        *(("</", unit) for unit in ("a", "a ")),
        *(("<!", unit) for unit in ("a", "-", " ")),
        *(("<?", unit) for unit in ("a", "?")),
        *(("<!--", unit) for unit in ("-", "->", "--")),
        *(("<a", unit) for unit in (" ", "/", "'", '"', "\x00")),
        *(("&", unit) for unit in ("a", "#", "amp", "#9", "#x")),
        *(("&#", unit) for unit in ("9", "0")),
        *(("&#x", unit) for unit in ("f", "0")),
    ],
)
def test_a_hostile_page_of_the_most_bytes_is_read(start: str, unit: str, end: str) -> None:
    """Where the steps grow with the square of the page, they take hours: the timeout ends them."""
    assert isinstance(text_of("<p>" + start + unit * (MAX_BYTES // len(unit)) + end), str)


@pytest.mark.parametrize("form", ["&#{}", "&#x{}", "&#X{}"])
@pytest.mark.parametrize("digits", [7, 8, 9, 4300, 4301])
@pytest.mark.parametrize("digit", "019")
@pytest.mark.parametrize("end", ["", ";"])
def test_a_reference_to_no_character_ends_no_attempt(
    form: str, digits: int, digit: str, end: str
) -> None:
    seen = text_of(f"<p>a{form.format(digit * digits)}{end} b").split()

    assert (seen[0][0], seen[-1], len(seen)) == ("a", "b", 2)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("plain  text\n here", "plain text here"),
        ("<p>a</p><p>b</p>", "a b"),
        ("<nav>menu<script>x</script></nav>kept", "kept"),
        ("<script>if (a < b) {}</script>kept", "kept"),
        ("<style>p{}</style><p>木&nbsp;&#x1F30A;", "木 🌊"),
        ("<p>open <b>never <i>closed", "open never closed"),
        ("</nav></nav>kept", "kept"),
        ("<b>&#65;&#x41;&#0000065;&#1114112;", "AAA\ufffd"),
        ("<b>&#99999999999;&#xfffffffff;c", "\ufffd\ufffdc"),
        ("<html><head><meta charset=utf-8><title>x</title><body><h1>Acme</h1><p>One", "Acme One"),
        ("<p>a<!-- b > c -->d<!-- open", "a d"),
        ("<p>a" + "<![" * 5000 + "cut off", "a"),  # as browsers read it
    ],
)
def test_a_page_s_text_is_what_a_reader_sees(source: str, seen: str) -> None:
    assert text_of(source, "text/html") == seen


README = (
    "# kettle-js\n\nWrap the widget in a `<nav>` element.\n\n## Install\n\nnpm install kettle-js\n"
)
PLAIN = [
    README,
    "Handlers are `Map<String, List<Integer>>`; call `kettle run <job-id> --to <host>`.",
    "Use Vec<u8> and curl https://api.example/v1/<tenant>/x\n#include <stdio.h>",
    "Set the `<title>` of the page. The warranty is 2 years.",
    "```vue\n<template>\n  <kettle/>\n</template>\n```\nThen boil water.",
    "if a <!-- b then c. The rest of a text. 2 < 3 &amp; 3 > 1",
    "Write to Ada <ada@example.com>, or see <https://example.com/x>",
    '<p align="center"><img src="x.svg"></p>\n\n# Kettle\n\nWrap it in a `<nav>`.\n\nIt boils.',
]


@pytest.mark.parametrize("source", PLAIN)
@pytest.mark.parametrize("kind", ["text/plain", "text/markdown; charset=utf-8", "TEXT/X-RST", ""])
def test_a_plain_text_keeps_what_looks_like_tags(source: str, kind: str) -> None:
    if kind or not source.startswith("<p"):
        assert text_of(source, kind) == " ".join(source.split())


@respx.mock
@pytest.mark.parametrize("name", ["kettle.md", "kettle.TXT", "kettle"])
async def test_an_own_file_that_is_plain_text_is_read_whole(
    name: str, folder: Path, context: MakeContext
) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / name).write_text(README, encoding="utf-8")
    chat = respx.post(CHAT).mock(side_effect=answer)

    own = DocumentRequest(title="Kettle", pages=(f"file:{name}",), sections=("Use",))
    await generate_docs(own, context())

    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert "`<nav>` element. ## Install npm install kettle-js" in asked


@respx.mock
@pytest.mark.parametrize(("kind", "kept"), [("text/plain", True), ("text/html", False)])
async def test_the_server_s_type_says_whether_tags_are_text(
    kind: str, folder: Path, context: MakeContext, *, kept: bool
) -> None:
    page = "Call `run <job-id>`."
    respx.get(host="93.184.215.14").respond(200, text=page, headers={"content-type": kind})
    chat = respx.post(CHAT).mock(side_effect=answer)

    await generate_docs(REQUEST.model_copy(update={"sections": ("Use",)}), context())

    asked = json.loads(chat.calls[0].request.content)["messages"][1]["content"]
    assert ("<job-id>" in asked) is kept


@pytest.mark.parametrize(
    "start",
    ["<!DOCTYPE html>", "\n <html lang=en>", "<!-- x --><!doctype html>", "<?xml version='1'?>"],
)
@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream"])
def test_a_whole_document_is_html_whatever_its_type(start: str, kind: str) -> None:
    assert text_of(f"{start}<p>a<b>b</b>", kind) == "a b"


XHTML = "application/xhtml+xml"


@pytest.mark.parametrize(
    ("source", "kind", "seen"),
    [
        ("<p>A</p><svg class='icon'/><p>B</p>", "text/html", "A B"),
        ("<p>A</p><svg class=icon /><p>B</p>", "text/html", "A B"),
        ('<p>A</p><svg a="x y"/><svg/><p>B</p>', "text/html", "A B"),
        # as browsers read it: the slash is the end of the value
        ("<p>A</p><svg class=icon/><p>x</p></svg><p>B</p>", "text/html", "A B"),
        ("<p>A</p><svg><use href='#i'/><title/></svg><p>B</p>", "text/html", "A B"),
        # HTML has no closed title, so what follows is one
        ("<title/><p>x</p></title><p>B</p>", "text/html", "B"),
        ("<head><title/><script src='a.js'/></head><p>B</p>", XHTML, "B"),
        ("<?xml version='1.0'?><html><title/><nav/><p>B</p>", "", "B"),
        (
            '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x"><html><title/><p>B</p>',
            "text/html",
            "B",
        ),
        ("<nav/><p>x</p></nav>B", "text/html", "B"),
        ("<p>A</p><!--><p>B</p><!---><p>C</p><!-- x --!>D", "text/html", "A B C D"),
    ],
)
def test_an_element_that_is_closed_at_once_hides_nothing(source: str, kind: str, seen: str) -> None:
    assert text_of(source, kind) == seen
