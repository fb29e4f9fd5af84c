"""One headless Chromium, and pages that tell what went wrong on them and whom they asked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright", reason="the browser tests need the package playwright")

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, until the block ends; without one the tests that ask for it are skipped, and say so."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, what its console says, and the addresses it asked."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.errors: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: message.type in ("error", "warning") and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: (self.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address: str = "") -> Any:
        """The page at an address of the server, once it has shown the question it was asked."""
        self.page.goto(f"{self.url}/{address}")
        self.page.wait_for_selector("main[data-ready]")
        return self.page

    def outside(self) -> list[str]:
        """Requests to anyone but the server."""
        here = urlsplit(self.url).netloc
        return [url for url in self.asked if urlsplit(url).scheme not in ("blob", "data") and urlsplit(url).netloc != here]


def settled(page: Any, panel: str) -> Any:
    """A panel once it has its answer."""
    page.wait_for_selector(f"#{panel}[aria-busy=false]")
    return page.locator(f"#{panel}")


def rows(page: Any, panel: str) -> list[list[str]]:
    """The cells of a panel's table."""
    table = settled(page, panel).locator("tbody tr")
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in table.all()]
