"""One walk through the page in a real browser: short enough for every run. What it passes by, the long tests stop at."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

import suffixindex as si
from tests.helpers.browser import Watched, chromium, rows, settled
from tests.helpers.building import write_jsonl
from tests.helpers.hostile import HOSTILE, harmless
from tests.helpers.serving import listening


@pytest.fixture
def watched(pets: si.SuffixIndex, tmp_path: Path) -> Iterator[Watched]:
    hostile = write_jsonl(tmp_path / "c.jsonl", [f"danger {text} end" for text in HOSTILE], kind=HOSTILE)
    with chromium() as browser:
        si.build(hostile, tmp_path / "hostile", tokenizer="bytes", progress=False)
        with listening(si.serve.app({"demo": pets, "hostile": tmp_path / "hostile"})) as live:
            one = Watched(browser.new_page(viewport={"width": 1400, "height": 900}), live.url)
            one.page.set_default_timeout(30_000)
            yield one


def test_a_walk_through_the_page(watched: Watched, tmp_path: Path) -> None:
    reads(watched, tmp_path)
    meets_hostile_documents(watched)  # the same browser: its start is what takes long


def reads(watched: Watched, tmp_path: Path) -> None:
    page = watched.open()
    # a search, by keys alone
    page.keyboard.press("/")
    page.keyboard.type("the cat")
    page.keyboard.press("Enter")
    page.wait_for_selector("#count:text-is('3')")
    assert sorted(row[0] for row in rows(page, "next")) == ["did", "sat", "slept"]
    settled(page, "groups").locator("select").select_option("id")
    page.wait_for_selector("#groups[aria-busy=false] bdi:text-is('a')")
    assert [(row[0], row[2]) for row in rows(page, "groups")] == [("a", "2"), ("b", "1")]
    assert [row[1] for row in rows(page, "concordance")] == ["the cat"] * 3
    # a phrase longer by a click
    settled(page, "next").get_by_role("button", name="sat", exact=True).click()
    page.wait_for_selector("#count:text-is('1')")
    assert page.input_value("#query") == "the cat sat"
    # a document, opened by keys
    settled(page, "concordance")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#document mark:text-is('the cat sat')")
    # its address, which restores all of it
    page = watched.open(page.url.removeprefix(f"{watched.url}/"))
    page.wait_for_selector("#document mark:text-is('the cat sat')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#document", state="hidden")
    # a table, taken
    settled(page, "concordance")
    page.click("#concordance .menu summary")
    with page.expect_download() as download:
        page.click("#concordance .menu button:text-is('.csv')")
    download.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as table:
        assert [(row["match"], row["id"]) for row in csv.DictReader(table)] == [("the cat sat", "a")]
    # a pasted text
    page = watched.open("?mode=text")
    page.fill("#query", "surely the cat did not sit on the mat")
    page.press("#query", "Control+Enter")
    page.click(".traced-text mark:text-is('the cat did not')")
    assert len(rows(page, "span-documents")) == 1
    assert "cat" not in page.url.partition("#")[0]
    # two indexes side by side
    page = watched.open("?mode=compare&q=the&index2=hostile")
    page.wait_for_selector(".compared-table:not(:has-text('…'))")
    assert rows(page, "compared")[0][:3] == ["Occurrences", "6", "0"]
    harmless(watched)


def meets_hostile_documents(watched: Watched) -> None:
    page = watched.open("?index=hostile&q=danger&width=50&doc=0&mark=100")
    page.wait_for_selector("#groups[aria-busy=false] tbody tr")
    page.wait_for_selector("#concordance tbody tr")
    assert page.locator("#concordance tbody tr").count() == len(HOSTILE)
    for number, text in enumerate(HOSTILE):
        address = f"?index=hostile&q=danger&width=50&doc={number}&mark=100"
        page.evaluate(f"history.pushState(null, '', '{address}'); dispatchEvent(new PopStateEvent('popstate'))")
        page.wait_for_selector(f"#document:has(h2:text-is('Document {number}')) mark")
        assert page.locator("#document .text").text_content() == f"danger {text} end"
    harmless(watched)
