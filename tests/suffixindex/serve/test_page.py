"""The page in a real browser: what a reader does with it."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import suffixindex as si
from tests.helpers.browser import Watched, chromium, rows, settled
from tests.helpers.building import write_jsonl
from tests.helpers.serving import LiveServer, listening

pytestmark = pytest.mark.long  # drives a browser, which few machines have

TEXTS = [
    "the cat sat on the mat the cat slept",
    "the dog sat on the mat the cat did not",
    "a dog slept on the mat",
    "no animal at all, but =SUM(A1) and the mat",
]
KINDS = ["story", "story", "note", "note"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("page")
    corpus = write_jsonl(folder / "c.jsonl", TEXTS, kind=KINDS, year=[1999, 2001, 2001, 2005])
    for tokenizer in ("words", "bytes"):
        si.build(corpus, folder / tokenizer, tokenizer=tokenizer, progress=False)
    with listening(si.serve.app({name: si.open(folder / name) for name in ("words", "bytes")})) as live:
        yield live


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def context(browser: Any, server: LiveServer) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    made.set_default_timeout(15_000)
    made.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    yield made
    made.close()


@pytest.fixture
def watched(context: Any, server: LiveServer) -> Iterator[Watched]:
    """A page that may say nothing on its console and ask nobody but the server."""
    one = Watched(context.new_page(), server.url)
    yield one
    refused = [error for error in one.errors if "Failed to load resource" in error]
    assert [error for error in one.errors if error not in refused] == []
    assert one.outside() == []
    one.page.close()


def copied(page: Any, panel: str, kind: str) -> str:
    page.click(f"#{panel} .menu summary")
    page.click(f"#{panel} .menu button:has-text('{kind}')")
    page.wait_for_selector("#said:has-text('Copied')", state="attached")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_search_counts_and_fills_every_panel(watched: Watched) -> None:
    page = watched.open()
    page.wait_for_selector(".examples button")
    page.fill("#query", "the cat")
    page.press("#query", "Enter")
    page.wait_for_selector("#count:text('3')")
    assert page.locator(".piece").all_inner_texts() == ["the", "cat"]
    figures = settled(page, "counts").locator("dd")
    page.wait_for_selector(".figures:not(:has-text('…'))")
    tokens = sum(len(re.findall(r"\w+|[^\w\s]", text)) for text in TEXTS)
    assert figures.nth(1).inner_text() == "2"
    assert float(figures.nth(2).inner_text().replace(",", "")) == pytest.approx(3e6 / tokens, rel=0.2)
    assert sorted((row[0], row[2]) for row in rows(page, "next")) == [("did", "1"), ("sat", "1"), ("slept", "1")]
    assert [row[1] for row in rows(page, "concordance")] == ["the cat"] * 3
    assert [(row[0], row[2]) for row in rows(page, "groups")] == [("story", "3")]
    assert rows(page, "spellings")[0] == ["the cat", "3", "2"]
    asked = [url.rpartition("/")[2] for url in watched.asked if "/v1/words/" in url]
    assert asked.index("count") < min(asked.index(one) for one in ("concordance", "counts_by", "count_variants"))


def test_a_click_on_a_next_token_extends_the_phrase(watched: Watched) -> None:
    page = watched.open("?q=the+cat")
    settled(page, "next").get_by_role("button", name="sat", exact=True).click()
    page.wait_for_selector("#count:text-is('1')")
    assert page.input_value("#query") == "the cat sat"
    page.go_back()
    page.wait_for_selector("#count:text-is('3')")
    assert page.input_value("#query") == "the cat"


def test_lines_are_sorted_by_the_nearest_word(watched: Watched) -> None:
    page = watched.open("?q=the")
    page.click("#concordance button:text('Word after')")
    page.wait_for_selector("#concordance button[data-value=right][aria-pressed=true]")
    after = [row[2].split()[:1] for row in rows(page, "concordance")]
    assert after == sorted(after)
    page.keyboard.press("[")
    page.wait_for_selector("#concordance button[data-value=left][aria-pressed=true]")
    before = [row[0].split()[-1:] for row in rows(page, "concordance")]
    assert before == sorted(before)
    assert "sort=left" in page.url


def test_a_document_opens_with_its_phrase_marked_and_closes(watched: Watched) -> None:
    page = watched.open("?q=the+cat")
    settled(page, "concordance").locator("button.open").nth(2).click()
    page.wait_for_selector("#document mark")
    assert page.locator("#document .text").inner_text() == TEXTS[1]
    assert page.locator("#document mark").all_inner_texts() == ["the cat"]
    assert "story" in page.locator("#document .facts").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#document", state="hidden")
    assert "doc=" not in page.url


def test_a_value_restricts_and_its_chip_frees(watched: Watched) -> None:
    page = watched.open("?q=mat")
    settled(page, "groups").get_by_role("button", name="note", exact=True).click()
    page.wait_for_selector("#count:text-is('2')")
    page.click(".chip button")
    page.wait_for_selector("#count:text-is('4')")
    page.click(".adder summary")
    page.select_option(".adder select", "year")
    page.fill(".adder input", "2001..2004")
    page.press(".adder input", "Enter")
    page.wait_for_selector("#count:text-is('2')")
    assert page.locator(".chip").inner_text().startswith("year: 2001 to below 2005")


def test_two_phrases_together(watched: Watched) -> None:
    page = watched.open("?q=dog&near=mat&window=3")
    assert [row[1] for row in rows(page, "together")] == ["0", "2", "4"]
    page.fill("#together input[type=number]", "")
    page.press("#together input[type=search]", "Enter")
    page.wait_for_selector("#together .note:text('2 together')")


def test_a_pasted_text_is_traced(watched: Watched) -> None:
    page = watched.open("?mode=text")
    text = "Surely the cat sat on the mat, and a dog flew."
    page.fill("#query", text)
    page.press("#query", "Control+Enter")
    settled(page, "traced")
    assert page.locator(".traced-text").inner_text() == text
    assert page.locator(".traced-text mark").all_inner_texts() == ["the cat sat on the mat"]
    page.keyboard.press("Escape")
    for _ in range(2):
        page.keyboard.press("[")
    page.wait_for_selector(".traced-text mark:text('a dog')")
    page.click(".traced-text mark:text('a dog')")
    assert len(rows(page, "span-documents")) == 1
    path, fragment = page.url.split("#")
    assert "cat" not in path and "cat" in fragment
    assert not any("cat" in urlsplit(url).query for url in watched.asked)
    page.reload()
    settled(page, "traced")
    assert page.input_value("#query") == text


def test_two_indexes_and_two_sets_of_documents_are_compared(watched: Watched) -> None:
    page = watched.open("?mode=compare&q=cat")
    page.wait_for_selector(".compared-table:not(:has-text('…'))")
    assert rows(page, "compared")[:2] == [["Occurrences", "3", "3", "1 ×"], ["Documents", "2", "2", "1 ×"]]
    page.select_option("select[aria-label='Index B']", "words")
    where = json.dumps({"fields": {"kind": ["note"]}})
    page = watched.open(f"?mode=compare&q=dog&index2=words&where2={where}")
    page.wait_for_selector(".compared-table:not(:has-text('…'))")
    assert rows(page, "compared")[0] == ["Occurrences", "2", "1", "2 ×"]
    assert len(rows(page, "lines-A")) == 2 and len(rows(page, "lines-B")) == 1


def test_an_address_restores_all_that_was_shown(watched: Watched) -> None:
    page = watched.open("?q=the+mat&sort=left&by=year&unit=documents&near=dog&window=9&view=lines&doc=1&at=4&mark=1")
    page.wait_for_selector("#document[open] .text")
    address = page.url
    assert page.input_value("#query") == "the mat"
    assert page.locator("#groups select").input_value() == "year"
    assert page.locator("#groups button[aria-pressed=true]").inner_text() == "Documents"
    assert page.input_value("#together input[type=number]") == "9"
    page.reload()
    page.wait_for_selector("#document[open] .text")
    assert page.url == address


def test_an_address_that_makes_no_sense_shows_the_page(watched: Watched) -> None:
    page = watched.open("?mode=nonsense&index=nowhere&ids=x&where={&window=-3&sort=up&doc=no&by=__proto__&constructor=1")
    assert page.locator(".empty h2").is_visible()


def test_keys(watched: Watched) -> None:
    page = watched.open("?q=the+cat")
    settled(page, "concordance")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_selector("#document[open] .text")
    assert page.locator("#document-title").inner_text() == "Document 0"
    page.keyboard.press("Escape")
    page.wait_for_selector("#document", state="hidden")
    page.keyboard.press("?")
    assert page.locator("#help kbd").count() >= 8
    page.keyboard.press("Escape")
    page.wait_for_selector("#help", state="hidden")


def test_what_a_panel_shows_can_be_taken(watched: Watched, tmp_path: Path, server: LiveServer) -> None:
    page = watched.open("?q=mat")
    settled(page, "concordance")
    saved = {}
    for kind in ("json", "csv"):
        page.click("#concordance .menu summary")
        with page.expect_download() as download:
            page.click(f"#concordance .menu button:text-is('.{kind}')")
        download.value.save_as(tmp_path / kind)
        saved[kind] = (tmp_path / kind).read_text()
    assert [line["document_id"] for line in json.loads(saved["json"])["lines"]] == [0, 1, 2, 3]
    table = list(csv.DictReader(io.StringIO(saved["csv"])))
    assert [(row["document_id"], row["match"], row["kind"]) for row in table] == [(str(i), "mat", KINDS[i]) for i in range(4)]
    settled(page, "groups")
    words = shlex.split(copied(page, "groups", "curl"))
    answer = server.ask(urlsplit(words[2]).path, words[-1].encode()).json
    assert {one["value"]: one["count"] for one in answer["groups"]} == {"story": 2, "note": 2}
    code = copied(page, "counts", "Python")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert printed.getvalue().split() == ["4", "4"]
    assert copied(page, "next", "shell") == "suffixindex next 'words' -k 20 -- 'mat'"


def test_cells_that_a_spreadsheet_would_run_are_text(watched: Watched) -> None:
    page = watched.open()
    made = page.evaluate("import('./static/page/export.js').then((e) => e.csv([{a: '=SUM(A1)', b: -1, c: 'x\"y,z'}]))")
    assert made == 'a,b,c\r\n\'=SUM(A1),-1,"x""y,z"\r\n'


def test_what_never_occurs_offers_what_does(watched: Watched) -> None:
    page = watched.open("?q=the+cat+slept+on+the+mat")
    page.wait_for_selector("#count:text-is('0')")
    settled(page, "spellings")
    assert page.locator("#concordance").is_hidden()
    page.click("#spellings button:has-text('slept on the mat')")
    page.wait_for_selector("#count:text-is('1')")


def test_a_panel_without_an_answer_says_why_and_leaves_the_others(watched: Watched) -> None:
    page = watched.page
    prices = {"price_seconds": 125.0, "budget_seconds": 5.0}
    content = {"type": "too-expensive", "title": "", "status": 422, "detail": "too expensive", **prices}
    page.route("**/concordance", lambda route: route.fulfill(status=422, json=content))
    busy = {"type": "server-overloaded", "title": "", "status": 503, "detail": "too many wait"}
    once = iter([True])
    page.route(
        "**/counts_by",
        lambda route: (
            route.fulfill(status=503, json=busy, headers={"Retry-After": "1"}) if next(once, False) else route.continue_()
        ),
    )
    watched.open("?q=the+cat")
    page.wait_for_selector("#concordance .problem")
    assert "2.08 minutes" in page.locator("#concordance .cost").inner_text()
    page.click("#concordance button:text('Draw ten at random')")
    page.wait_for_selector("#concordance tbody tr")
    assert [row[1] for row in rows(page, "concordance")] == ["the cat"] * 10
    assert len(rows(page, "next")) == 3
    page.wait_for_selector("#groups tbody tr")  # asked again after the second that the server named


def test_a_late_answer_to_an_older_question_is_dropped(watched: Watched) -> None:
    page, held = watched.page, []
    page.route("**/v1/words/count", lambda route: held.append(route) if '"dog"' in route.request.post_data else route.continue_())
    watched.open("?q=dog")
    page.wait_for_selector("#counts[aria-busy=true]")
    page.fill("#query", "the cat")
    page.press("#query", "Enter")
    page.wait_for_selector("#count:text-is('3')")
    assert len(held) == 1
    with contextlib.suppress(Exception):
        held[0].continue_()  # its request was given up
    page.wait_for_timeout(100)
    assert page.locator("#count").inner_text() == "3"
    assert page.input_value("#query") == "the cat"


def test_a_server_with_a_token_asks_for_it(browser: Any, server: LiveServer) -> None:
    application = si.serve.app({"words": server.state.table["words"].index}, token="secret")
    with listening(application) as closed:
        watched = Watched(browser.new_page(), closed.url)
        watched.page.goto(closed.url)
        watched.page.fill("input[type=password]", "secret")
        watched.page.press("input[type=password]", "Enter")
        watched.page.wait_for_selector("main[data-ready]")
        assert watched.page.locator(".lead").is_visible()
        watched.page.close()


@pytest.mark.parametrize("width", [1400, 768, 390])
def test_no_screen_is_too_small(watched: Watched, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 800})
    for address in ("?q=the+cat&near=mat", "?mode=text#text=the+cat+sat+on+the+mat", "?mode=compare&q=the+cat"):
        page = watched.open(address)
        page.wait_for_selector("tbody tr")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif("AXE" not in os.environ, reason="AXE names no axe.min.js (of npm's axe-core)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, server: LiveServer, scheme: Any) -> None:
    page = browser.new_context(bypass_csp=True, color_scheme=scheme).new_page()
    for address in (
        "",
        "?q=the+cat&near=mat",
        "?q=the+cat&doc=1&mark=1",
        "?mode=text#text=the+cat+sat+on+the+mat",
        "?mode=compare&q=cat",
        "docs",
    ):
        page.goto("about:blank")
        page.goto(f"{server.url}/{address}")
        page.wait_for_load_state("networkidle")
        page.add_script_tag(path=os.environ["AXE"])
        found = page.evaluate("axe.run()")["violations"]
        told = [(one["id"], one["impact"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
        assert [one for one in told if one[1] in ("serious", "critical")] == [], address
