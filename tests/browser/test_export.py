"""The exporter on a page of its own: what it copies and saves, opened as its receiver would."""

import base64
import csv
import hashlib
import http.server
import io
import json
import re
import urllib.parse
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import served

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
LINK = "lab=sde&steps=50&ink=1" + "A" * 300
FORMULA = "=HYPERLINK(1)"


def wire(values):
    """An array as the players read it, unquantised."""
    values = np.ascontiguousarray(values, dtype="<f4")
    return {
        "dtype": "float32",
        "shape": list(values.shape),
        "scale": 1,
        "offset": 0,
        "delta": False,
        "deflate": False,
        "data": base64.b64encode(values.tobytes()).decode(),
    }


def text(en, zh):
    return {"en": en, "zh": zh}


def scene(frames):
    """A cloud that turns around the middle, beside a plot; the words try to break out."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, np.pi, 9)[:, None] + rng.uniform(0, 2 * np.pi, 400)
    radius = 0.8 + rng.normal(0, 0.08, 400)
    positions = np.stack([radius * np.cos(angle), 2 * radius * np.sin(angle)], axis=2)
    cloud = {
        "id": "particle",
        "type": "points",
        "role": "model",
        "label": text("sample", "样本"),
        "positions": wire(positions),
    }
    circle = {
        "id": "particles",
        "kind": "particles",
        "title": text("Reverse SDE </script><b>", "反向 SDE"),
        "note": text("same noise", "相同噪声"),
        "extent": [-3.2, 3.2, -3.2, 3.2],
        "layers": [cloud],
    }
    plot = {"id": "curve", "kind": "plot", "title": text("Loss", "损失"), "note": text("", "")}
    steps = np.linspace(1, 0, frames)
    return {
        "id": "run",
        "lab": "sde",
        "link": LINK,
        "python": "from core.sde import VP\nprint(VP())",
        "settings": {"steps": 50},
        "frames": frames,
        "seconds": 0.8,
        "loop": "loop",
        "ticks": {"symbol": "t", "values": steps.tolist()},
        "track": None,
        "views": [circle, {**plot, "figure": {}}],
        "readouts": [
            {
                "id": "std",
                "label": text("std", "标准差"),
                "values": (steps**2).tolist(),
                "unit": "",
                "digits": 3,
            },
            {"id": "trap", "label": text("trap", "陷阱"), "values": FORMULA, "unit": ""},
        ],
        "legend": [{"role": "model", "label": text("sample", "样本")}],
        "badge": None,
        "code": {"names": [], "lines": []},
    }


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves static/, the harness beside this file, and the scene."""

    def translate_path(self, path):
        inside = path.split("?")[0].lstrip("/")
        folder = ROOT if inside.startswith("static/") else Path(__file__).parent
        return str(folder / inside)

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        if address.path != "/scene.json":
            return super().do_GET()
        frames = int(urllib.parse.parse_qs(address.query)["frames"][0])
        body = json.dumps(scene(frames)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    with served(Handler) as address:
        yield address


@pytest.fixture(scope="module")
def trouble():
    """What went wrong on any page: errors, and requests that leave this machine."""
    return []


@pytest.fixture(autouse=True)
def calm(trouble):
    """A test may cause no trouble."""
    trouble.clear()
    yield
    assert trouble == []


@pytest.fixture(scope="module")
def visit(chromium, address, trouble):
    """Opens the harness, or an exported file from the disk."""
    contexts = []

    def watch(page, allowed):
        def seen(request):
            if not request.url.startswith((allowed, "data:", "blob:")):
                trouble.append(request.url)

        page.on("request", seen)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda told: told.type == "error" and trouble.append(told.text))
        return page

    def visit(query="", file=None, **options):
        context = chromium.new_context(**{"viewport": {"width": 980, "height": 760}, **options})
        contexts.append(context)
        target = file.as_uri() if file else f"{address}/export.html?{query}"
        page = watch(context.new_page(), file.as_uri() if file else address)
        page.goto(target)
        page.wait_for_function("window.lab?.ready || window.stage?.panels")
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def harness(visit):
    """One page for all tests that leave it as it was."""
    return visit(permissions=["clipboard-read", "clipboard-write"])


def choose(page, item):
    page.get_by_role("button", name="Share").click()
    page.locator(f"[data-item={item}]").click()


def save(page, item, folder):
    with page.expect_download() as coming:
        choose(page, item)
    file = folder / coming.value.suggested_filename
    coming.value.save_as(file)
    assert re.fullmatch(rf"vitrine-sde-\d{{4}}-\d\d-\d\d\.{item}", file.name)
    expect(page.get_by_role("status")).to_have_text(f"Saved {file.name}")
    return file


def seek(page, share):
    page.evaluate(
        "share => { const { transport } = lab.stage; transport.pause();"
        " transport.seek(share * transport.last); }",
        share,
    )


class TestMenu:
    def test_it_works_by_keyboard_alone(self, harness):
        page = harness
        share = page.get_by_role("button", name="Share")
        menu = page.get_by_role("menu", name="Share")
        share.focus()
        page.keyboard.press("Enter")
        expect(menu).to_be_visible()
        expect(share).to_have_attribute("aria-expanded", "true")
        expect(page.get_by_role("menuitem", name="Copy link")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("menuitem", name="Page that plays offline")).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("v")
        expect(page.get_by_role("menuitem", name="Video")).to_be_focused()
        page.keyboard.press("Escape")
        expect(menu).to_be_hidden()
        expect(share).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("menuitem", name="Page that plays offline")).to_be_focused()
        page.keyboard.press("Tab")
        expect(menu).to_be_hidden()

    def test_a_second_click_and_a_click_elsewhere_close_it(self, harness):
        page = harness
        share = page.get_by_role("button", name="Share")
        menu = page.get_by_role("menu", name="Share")
        share.click()
        expect(menu).to_be_visible()
        share.click()
        expect(menu).to_be_hidden()
        share.click()
        page.locator(".vt-head h1").click()
        expect(menu).to_be_hidden()

    def test_it_stays_within_a_phone(self, visit):
        page = visit(viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
        page.get_by_role("button", name="Share").tap()
        box = page.get_by_role("menu").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 700
        button = page.get_by_role("button", name="Share").bounding_box()
        above = button["y"] - box["y"] - box["height"]
        below = box["y"] - button["y"] - button["height"]
        assert above == pytest.approx(4, abs=1) or below == pytest.approx(4, abs=1)
        for item in page.get_by_role("menuitem").all():
            assert item.bounding_box()["height"] >= 32

    def test_what_does_not_move_is_not_animated(self, visit):
        page = visit("frames=1")
        page.get_by_role("button", name="Share").click()
        for item in ("gif", "webm"):
            entry = page.locator(f"[data-item={item}]")
            expect(entry).to_have_attribute("aria-disabled", "true")
            expect(entry).to_contain_text("Nothing moves here.")
        page.locator("[data-item=gif]").click(force=True)
        expect(page.get_by_role("menu")).to_be_visible()

    def test_a_browser_without_a_recorder_says_so(self, visit):
        page = visit()
        page.evaluate("() => { delete window.MediaRecorder; }")
        page.get_by_role("button", name="Share").click()
        expect(page.locator("[data-item=webm]")).to_contain_text("records no video")

    def test_it_speaks_chinese(self, visit):
        page = visit("lang=zh")
        page.get_by_role("button", name="分享").click()
        expect(page.get_by_role("menuitem", name="复制链接")).to_be_visible()


class TestCopies:
    def test_the_link_and_the_code_reach_the_clipboard(self, harness, address):
        page = harness
        choose(page, "link")
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == f"{address}/export.html?{LINK}"
        choose(page, "python")
        page.wait_for_function("navigator.clipboard.readText().then((t) => t.includes('VP'))")

    def test_without_a_clipboard_the_text_is_offered(self, visit, address):
        page = visit()
        page.evaluate(
            "() => { navigator.clipboard.writeText = () => Promise.reject();"
            " document.execCommand = () => false; }"
        )
        choose(page, "link")
        offered = page.get_by_role("textbox", name="Copy this text:")
        expect(offered).to_have_value(f"{address}/export.html?{LINK}")
        assert page.evaluate("document.activeElement.selectionEnd") == len(offered.input_value())
        page.get_by_role("button", name="Close").click()
        expect(offered).to_be_hidden()


class TestPicture:
    def test_it_shows_every_view_at_twice_the_size(self, harness, tmp_path):
        page = harness
        seek(page, 0.5)
        picture = np.asarray(Image.open(save(page, "png", tmp_path)).convert("RGB")).astype(int)
        assert picture.shape[1] == 2 * page.locator(".vt-stages").bounding_box()["width"]
        near = [np.abs(picture - colour).sum(2) < 60 for colour in ([213, 94, 0], [0, 158, 115])]
        model, plot = (np.nonzero(found) for found in near)
        assert len(model[0]) > 800
        assert len(plot[0]) > 200_000
        assert np.median(model[1]) < picture.shape[1] / 2 < np.median(plot[1])

    def test_it_is_dark_where_the_page_is(self, visit, tmp_path):
        page = visit("theme=dark")
        picture = np.asarray(Image.open(save(page, "png", tmp_path)).convert("L"))
        assert np.median(picture) < 40


class TestAnimation:
    def test_a_gif_moves_and_is_small(self, harness, tmp_path):
        page = harness
        file = save(page, "gif", tmp_path)
        assert file.stat().st_size < 2_000_000
        with Image.open(file) as gif:
            assert gif.n_frames == 16
            assert gif.width == 640
            assert gif.info["loop"] == 0
            assert gif.info["duration"] == 50
            first = np.asarray(gif.convert("RGB")).astype(int)
            gif.seek(8)
            middle = np.asarray(gif.convert("RGB")).astype(int)
            gif.seek(15)
            assert gif.info["duration"] == 750
        assert 1000 < (np.abs(first - middle).sum(2) > 60).sum() < first[..., 0].size / 8

    def test_a_long_job_can_be_cancelled(self, harness):
        page = harness
        page.evaluate("() => { lab.scene.seconds = 6; }")
        choose(page, "gif")
        page.wait_for_function("document.querySelector('.vt-export-word progress').value > 0")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("status")).to_have_text("Cancelled")
        assert page.evaluate("document.querySelector('.vt-export-word progress').value") < 0.9
        page.evaluate("() => { lab.scene.seconds = 0.8; }")

    def test_a_scene_that_bounces_comes_back(self, harness):
        shown = harness.evaluate(
            "lab.animation.moments({ frames: 65, seconds: 6, loop: 'bounce' },"
            " { count: 120, seconds: 8 })"
        )
        positions = np.array([moment["position"] for moment in shown])
        delays = np.array([moment["delay"] for moment in shown])
        assert len(positions) == 120
        assert positions.max() == 64
        assert np.allclose(positions[1:60], positions[:60:-1])
        assert delays.sum() == pytest.approx(8000 + 2 * 700)
        assert set(np.flatnonzero(delays > 100)) == {0, 60}

    def test_a_video_plays(self, harness, tmp_path):
        page = harness
        file = save(page, "webm", tmp_path)
        video = cv2.VideoCapture(str(file))
        frames = []
        while (read := video.read())[0]:
            frames.append(read[1].astype(int))
        video.release()
        assert len(frames) >= 8
        assert frames[0].shape[1] == 1280
        assert (np.abs(frames[0] - frames[len(frames) // 2]).sum(2) > 90).sum() > 1000


class TestNumbers:
    def test_a_table_holds_all_numbers(self, harness, tmp_path):
        page = harness
        seek(page, 0.5)
        lines = save(page, "csv", tmp_path).read_bytes().decode()
        rows = list(csv.DictReader(io.StringIO(lines, newline="")))
        points = [row for row in rows if row["view"] == "particles"]
        assert len(points) == 400
        assert {row["frame"] for row in points} == {"16"}
        assert {float(row["t"]) for row in points} == {0.5}
        radius = [np.hypot(float(row["x"]), float(row["y"]) / 2) for row in points]
        assert np.mean(radius) == pytest.approx(0.8, abs=0.02)
        std = [float(row["value"]) for row in rows if row["layer"] == "std"]
        assert std == pytest.approx(np.linspace(1, 0, 33) ** 2, abs=1e-6)

    def test_no_cell_is_a_formula(self, harness, tmp_path):
        page = harness
        lines = save(page, "csv", tmp_path).read_bytes().decode()
        rows = list(csv.DictReader(io.StringIO(lines, newline="")))
        assert [row["value"] for row in rows if row["layer"] == "trap"] == [f"'{FORMULA}"]
        (loss,) = [row for row in rows if row["view"] == "curve"]
        assert (loss["trace"], loss["y"]) == ("'=loss, really", "-0.5")
        for dangerous in ("+1", "-1", "@a", "\t=1", "\r=1"):
            assert page.evaluate("text => lab.numbers.cell(text)", dangerous).lstrip('"')[0] == "'"
        assert page.evaluate("lab.numbers.cell(-1.5)") == "-1.5"
        assert page.evaluate("lab.numbers.cell('a\"b')") == '"a""b"'

    def test_json_carries_settings_and_link(self, harness, tmp_path, address):
        page = harness
        seek(page, 1)
        numbers = json.loads(save(page, "json", tmp_path).read_text())
        assert numbers["link"] == f"{address}/export.html?{LINK}"
        assert numbers["settings"] == {"steps": 50}
        assert numbers["frame"] == 32
        assert [len(view["rows"]) for view in numbers["views"]] == [400, 1]
        assert numbers["readouts"][0]["values"][32] == 0


def inked(page):
    """A digest of what the first canvas shows."""
    return page.evaluate("document.querySelector('canvas').toDataURL()")


@pytest.fixture(scope="module")
def exported(harness, tmp_path_factory):
    """An exported page on the disk."""
    seek(harness, 0.25)
    return save(harness, "html", tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def opened(visit, exported):
    """The exported page, opened from the disk."""
    return visit(file=exported)


class TestPage:
    def test_it_plays_from_a_disk_without_any_request(self, opened):
        page = opened
        before = inked(page)
        page.wait_for_function(
            "before => document.querySelector('canvas').toDataURL() !== before", arg=before
        )
        assert page.evaluate("stage.transport.playing")
        page.keyboard.press("Space")
        page.wait_for_function("!stage.transport.playing")
        page.keyboard.press("Home")
        expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0")
        expect(page.locator(".vt-readouts dd").first).to_have_text("1")
        start = inked(page)
        page.keyboard.press("End")
        expect(page.locator(".vt-readouts dd").first).to_have_text("0")
        page.wait_for_function(
            "start => document.querySelector('canvas').toDataURL() !== start", arg=start
        )

    def test_it_has_both_languages_and_themes(self, opened):
        page = opened
        expect(page.locator(".vt-head h1")).to_have_text("Forward & <reverse>")
        page.get_by_role("button", name="中文").click()
        expect(page.locator(".vt-head h1")).to_have_text("前向与反向")
        expect(page.locator(".vt-panel-head b").first).to_have_text("反向 SDE")
        page.get_by_role("button", name="浅色或深色").click()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(20, 22, 26)"
        page.get_by_role("button", name="English").click()
        expect(page.locator(".vt-panel-head b").nth(1)).to_have_text("Loss")

    def test_a_plot_is_a_still(self, opened):
        page = opened
        still = page.locator("img.vt-still")
        expect(still).to_have_attribute("alt", "Loss")
        assert still.evaluate("image => image.naturalWidth") == 1280

    def test_its_words_stay_words(self, opened, exported):
        page = opened
        expect(page.locator(".vt-panel-head b").first).to_have_text("Reverse SDE </script><b>")
        assert page.title() == "Forward & <reverse>"
        assert exported.stat().st_size < 400_000

    def test_every_module_is_inside(self, exported):
        source = exported.read_text()
        imports = json.loads(re.search(r'"importmap">\n(.*)\n', source)[1])["imports"]
        assert "vitrine/js/particles.js" in imports
        assert "vitrine/js/plot.js" not in imports
        for name, address in imports.items():
            module = base64.b64decode(address.split(",")[1]).decode()
            wanted = re.findall(r"(?:from|import)\s*\(?\s*['\"]([^'\"]+)['\"]", module)
            assert set(wanted) <= set(imports), name


class TestVendor:
    VENDOR = ROOT / "static" / "vendor"

    def test_what_others_wrote_is_as_listed(self):
        readme = (self.VENDOR / "README.md").read_text()
        listed = dict(re.findall(r"`([\w./-]+)` \| `(\w{64})`", readme))
        files = [path for path in self.VENDOR.rglob("*") if path.is_file()]
        there = {
            str(path.relative_to(self.VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.name != "README.md"
        }
        assert there == listed
