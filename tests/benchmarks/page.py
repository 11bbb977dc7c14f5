"""The page in Chromium: what a visit costs, how fast a control answers, how smoothly it plays."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM

ROOT = Path(__file__).parents[2]
BARE = """
import gradio as gr
with gr.Blocks(analytics_enabled=False) as demo:
    gr.Slider()
demo.launch(quiet=True, run_history=False)
"""
READY = ".vt-stages.vt-ready"


@contextmanager
def served(arguments: list[str], probe: str) -> Iterator[tuple[str, float]]:
    """Starts a server; yields its address and the seconds to its first answer at `probe`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    quiet = subprocess.DEVNULL
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=quiet, stderr=quiet
    )
    try:
        while True:
            try:
                httpx.get(address + probe).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield address, time.perf_counter() - start
    finally:
        process.terminate()
        process.wait(20)


def start_up(runs: int = 3) -> list[tuple[str, str]]:
    """Process start to the first page, in turn with a bare Gradio app."""
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        for _ in range(runs):
            with served(["app.py"], "") as (_, seconds):
                ours.append(seconds)
            with served([str(script)], "") as (_, seconds):
                bare.append(seconds)
    ours_s, bare_s = statistics.median(ours), statistics.median(bare)
    return [
        ("start to first page", f"{ours_s:.2f} s"),
        ("a bare Gradio app", f"{bare_s:.2f} s (ours + {ours_s - bare_s:.2f} s)"),
    ]


def visit(browser: Browser, address: str, runs: int = 5) -> list[tuple[str, str]]:
    """Requests, bytes and seconds of a first visit with an empty cache."""
    ready, requests, sizes = [], [], []
    for _ in range(runs):
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        seen: list[int] = []
        page.on("requestfinished", lambda request, seen=seen: seen.append(_bytes(request)))
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(READY)
        ready.append(time.perf_counter() - start)
        page.wait_for_timeout(500)
        requests.append(len(seen))
        sizes.append(sum(seen))
        context.close()
    return [
        ("first visit to a moving stage", f"{statistics.median(ready):.2f} s"),
        ("requests", f"{statistics.median(requests):.0f}"),
        ("bytes on the wire", f"{statistics.median(sizes) / 1e6:.2f} MB"),
    ]


def _bytes(request: object) -> int:
    sizes = request.sizes()  # type: ignore[attr-defined]
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def answering(page: Page, runs: int = 21) -> list[tuple[str, str]]:
    """Milliseconds from a moved slider to the new picture, at the lab's defaults."""
    waits = []
    for run in range(runs):
        steps = 60 + run
        start = time.perf_counter()
        page.locator("#sde-steps input[type=number]").fill(str(steps))
        page.wait_for_function(
            "text => document.querySelector('.vt-readouts dd').textContent.endsWith(text)",
            arg=f"/ {steps}",
            polling="raf",
        )
        waits.append(1000 * (time.perf_counter() - start))
    waits.sort()
    p95 = waits[round(0.95 * (len(waits) - 1))]
    return [("slider to new picture", f"p50 {statistics.median(waits):.0f} ms, p95 {p95:.0f} ms")]


def playing(page: Page, seconds: float = 4.0) -> list[tuple[str, str]]:
    """Frames per second while both stages play 2,000 particles each, without a GPU."""
    frames = page.evaluate(
        """seconds => new Promise((done) => {
          let frames = 0;
          const start = performance.now();
          const count = (now) => {
            frames += 1;
            if (now - start < 1000 * seconds) requestAnimationFrame(count);
            else done(frames / ((now - start) / 1000));
          };
          requestAnimationFrame(count);
        })""",
        seconds,
    )
    return [("playing two stages of 2,000 particles", f"{frames:.0f} frames/s")]


def payload() -> list[tuple[str, str]]:
    """Bytes of the default scene."""
    from labs.answers import answer
    from labs.lab import Session
    from labs.sde import LAB

    size = len(json.dumps(answer(LAB, LAB.settings(), Session())))
    return [("payload of the default scene", f"{size / 1e6:.2f} MB")]


def main() -> None:
    """Prints the table."""
    rows = start_up()
    with served(["app.py"], "healthz") as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        rows += visit(browser, address)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(address)
        page.wait_for_selector(READY)
        rows += playing(page) + answering(page)
        browser.close()
    rows += payload()
    print("| what | median |\n|---|---|")
    for what, figure in rows:
        print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
