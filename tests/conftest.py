"""What all tests share: the app, started once as its users start it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where tests of core compute: cpu, cuda, ...")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Runs `python app.py` on a free port of this machine and yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    log = tmp_path_factory.mktemp("app") / "log"
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    with log.open("w") as output:
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            _wait_until_healthy(app, url, log)
            yield url
        finally:
            app.terminate()
            app.wait(20)


def _wait_until_healthy(app: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(600):
        if app.poll() is not None:
            break
        try:
            if httpx.get(f"{url}healthz").text == "ok":
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")
