"""What the app serves beside Gradio."""

import json
import re

import brotli
import httpx
import pytest

from labs import LABS


@pytest.fixture(scope="module")
def web(address):
    with httpx.Client(base_url=address, headers={"accept-encoding": "identity"}) as client:
        yield client


@pytest.fixture(scope="module")
def prefix(web):
    """Where the running app serves its static files."""
    return re.search(r"static/[0-9a-f]{12}", web.get("/").text)[0]


def test_health(web):
    answer = web.get("healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_static_files_are_compressed_and_kept_for_ever(web, prefix):
    name = f"{prefix}/js/stage.js"
    plain = web.get(name)
    with web.stream("GET", name, headers={"accept-encoding": "br"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "br"
    assert brotli.decompress(raw) == plain.content
    assert "immutable" in plain.headers["cache-control"]
    assert plain.headers["content-type"].startswith("text/javascript")


def test_gradios_own_assets_are_kept_for_ever_too(web):
    page = web.get("/").text
    asset = re.search(r"assets/[\w.-]+\.js", page)[0]
    assert "immutable" in web.get(asset).headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["../app.py", "..%2f..%2fapp.py", "js/../../requirements.txt", "nothing.js", "text/sde.en.md"],
)
def test_only_listed_files_are_served(web, prefix, path):
    assert web.get(f"{prefix}/{path}").status_code in {403, 404}


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_hold_prose_papers_and_the_source_that_runs(web, lab, language):
    texts = web.get(f"texts/{lab.slug}.{language}.json").json()
    assert len(texts["cards"]) >= 5
    assert texts["papers"]
    for item in lab.code:
        source = texts["code"][f"{item.__module__}.{item.__qualname__}"]
        assert source["first"] == item.__code__.co_firstlineno
    assert web.get("texts/none.en.json").status_code == 404


def test_a_page_load_names_no_other_host(web):
    page = web.get("/").text
    hosts = set(re.findall(r"""(?:src|href)=["']https?://([^/"']+)""", page))
    assert hosts <= {web.base_url.netloc.decode()}, hosts
    assert json.loads(web.get("config").text)["analytics_enabled"] is False
