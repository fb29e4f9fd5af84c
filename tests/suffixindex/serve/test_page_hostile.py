"""Documents that would run in a careless page: shown as the text they are, in every panel."""

from collections.abc import Iterator

import pytest

import suffixindex as si
from tests.helpers.browser import Watched, chromium
from tests.helpers.building import write_jsonl
from tests.helpers.hostile import HOSTILE, RUN, harmless
from tests.helpers.serving import LiveServer, listening

pytestmark = pytest.mark.long  # drives a browser, which few machines have


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hostile")
    texts = [f"danger {text} end" for text in HOSTILE]
    corpus = write_jsonl(folder / "c.jsonl", texts, url=HOSTILE, kind=HOSTILE, **{f"<img src=x onerror={RUN}>": HOSTILE})
    si.build(corpus, folder / "bytes", tokenizer="bytes", progress=False)
    with listening(si.serve.app({f"<b onclick={RUN}>": si.open(folder / "bytes")})) as live:
        yield live


@pytest.fixture(scope="module")
def watched(server: LiveServer) -> Iterator[Watched]:
    with chromium() as browser:
        one = Watched(browser.new_page(viewport={"width": 1400, "height": 900}), server.url)
        one.page.set_default_timeout(15_000)
        yield one


def test_every_panel_shows_text(watched: Watched) -> None:
    page = watched.open("?q=danger&width=50")
    page.wait_for_selector("#groups tbody tr")
    for by in ("kind", "url", f"<img src=x onerror={RUN}>"):
        page.select_option("#groups select", by)
        page.wait_for_selector("#groups[aria-busy=false] tbody tr")
        page.wait_for_selector("#concordance tbody tr")
        assert page.locator("#concordance tbody tr").count() == len(HOSTILE)
        harmless(watched)
    page.click("#concordance button:text('Documents')")
    page.wait_for_selector("#concordance .snippet mark")
    harmless(watched)


def test_every_document_opens_as_text(watched: Watched) -> None:
    page = watched.open("?q=danger")
    page.wait_for_selector("#concordance tbody tr")
    for number, text in enumerate(HOSTILE):
        address = f"?q=danger&doc={number}&mark=100"
        page.evaluate(f"history.pushState(null, '', '{address}'); dispatchEvent(new PopStateEvent('popstate'))")
        page.wait_for_selector(f"#document:has(h2:text-is('Document {number}')) mark")
        shown = page.locator("#document .text").text_content()
        assert shown == f"danger {text} end"
        assert page.locator("#document .facts a").count() == 0
    harmless(watched)


def test_a_hostile_address_and_a_hostile_paste_are_text(watched: Watched) -> None:
    for text in (HOSTILE[0], HOSTILE[2]):
        page = watched.page
        watched.open("?mode=text")
        page.fill("#query", text)
        page.press("#query", "Control+Enter")
        page.wait_for_selector(".traced-text mark")
        assert page.locator(".traced-text").text_content() == text
        page.click(".traced-text mark")
        page.wait_for_selector("#span-documents tbody tr")
        watched.open()
        page.fill("#query", text)
        page.press("#query", "Enter")
        page.wait_for_selector("#count")
        harmless(watched)
    where = '{"fields":{"<img src=x onerror=window.ran=1>":["<script>window.ran=1</script>"]},"holding":["<img src=x>"]}'
    watched.open(f"?q=danger&where={where}")
    watched.page.wait_for_selector("#count")
    watched.page.wait_for_selector(".chip")
    harmless(watched)
