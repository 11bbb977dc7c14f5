"""One Chromium for all browser tests; every page is watched for errors and for foreign requests."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = ("http://127.0.0.1:", "data:", "blob:", "file:")


@contextmanager
def served(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serves a page of a test's own on a free port; yields its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"Chromium is not installed at {CHROMIUM}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Makes pages (options go to the browser context) whose errors fail the test.

    An error is a message on the console, an exception, or a request to another machine. A test
    that provokes one empties `page.wrong`.
    """
    contexts, pages = [], []

    def new_page(**options: object) -> Page:
        options = {"viewport": {"width": 1280, "height": 720}, **options}
        context = chromium.new_context(**options)
        page = context.new_page()
        wrong: list[str] = []
        page.wrong = wrong
        page.set_default_timeout(30_000)
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(LOCAL) or wrong.append(asked.url))
        contexts.append(context)
        pages.append(page)
        return page

    yield new_page
    for context in contexts:
        context.close()
    assert [page.wrong for page in pages if page.wrong] == []
