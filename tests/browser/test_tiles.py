"""The players of tiles and of one row, on a page of their own, against the trace they show."""

import base64
import functools
import http.server
import itertools
import json
import math
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from core.flash_attention import trace
from core.flash_attention.online import online_softmax
from labs.flash_attention.views import Grid, online_view, race, tiles_view

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
TOKENS = (
    "The",
    "glass",
    "case",
    "holds",
    "玻",
    "璃",
    "🍎",
    "👩‍🔬",
    "extraordinarily",
    "we",
    "look",
    "in",
)
ROWS, DIM, BLOCK_Q, BLOCK_K, CAPACITY = 12, 8, 5, 4, 600
PASSES = tuple(itertools.product(("fa2", "fa1", "naive"), ("forward", "backward")))
ROW = 7
"""The row whose softmax the page shows element by element."""


@functools.cache
def heads():
    """Queries, keys and values with large enough scores for the maximum to jump."""
    draw = torch.Generator().manual_seed(5)
    return tuple(2 * torch.randn(ROWS, DIM, generator=draw) for _ in range(3))


@functools.cache
def steps(order="fa2", backward=False):
    """The trace, ragged blocks, causal."""
    found = trace(
        *heads(), block_q=BLOCK_Q, block_k=BLOCK_K, causal=True, order=order, backward=backward
    )
    return tuple(found)


def own(order="fa2", stage="forward", backward=False):
    """The steps of one pass, without the last record."""
    found = steps(order, backward)
    return [step for step in found if step.stage == stage and step.phase != "done"]


def text(name):
    return {"en": name, "zh": name}


def grid(order):
    return Grid(order, ROWS, ROWS, DIM, BLOCK_Q, BLOCK_K, "fp32", CAPACITY, "A100", TOKENS)


def view(name, order, **more):
    backward = more.get("stage") == "backward"
    fields = tiles_view(steps(order, backward), grid(order), **more)
    return {"id": name, "title": text(name), "note": text(""), **fields}


def scores():
    """The scores of the shown row, −∞ where masked."""
    q, k, _ = heads()
    row = (q[ROW].double() @ k.double().T) / math.sqrt(DIM)
    row[ROW + 1 :] = -torch.inf
    return row


LONG = 36
"""Rows of the view whose rows are lower than a line of text."""


@functools.cache
def long_steps():
    """The trace of a longer head, not causal."""
    draw = torch.Generator().manual_seed(6)
    head = (torch.randn(LONG, DIM, generator=draw) for _ in range(3))
    return tuple(trace(*head, block_q=6, block_k=6, causal=False, order="fa2"))


def long_view(labels):
    """A view whose labels do not all fit; labels are tokens or, with None, numbers."""
    shape = Grid("fa2", LONG, LONG, DIM, 6, 6, "fp32", CAPACITY, "A100", labels)
    title = {"en": "FlashAttention-2", "zh": "FlashAttention-2"}
    return {"id": "long", "title": title, "note": text(""), **tiles_view(long_steps(), shape)}


def scene(name):
    """What the page plays."""
    if name == "race":
        ours, theirs = race(own("fa2"), own("naive"))
        views = [view("fa2", "fa2", at=ours), view("naive", "naive", at=theirs)]
        return {"frames": len(ours), "views": views}
    if name in ("long", "words"):
        views = [long_view(TOKENS * 3 if name == "words" else None)]
        return {"frames": len(long_steps()), "views": views}
    if name in ("online", "both"):
        fields = online_view(scores(), heads()[2].double(), labels=TOKENS, block=BLOCK_K)
        shown = {"id": "row", "title": text("row"), "note": text(""), **fields}
        others = [view("fa2", "fa2")] if name == "both" else []
        return {"frames": ROWS + 1, "views": [*others, shown]}
    if name == "all":
        views = [view(f"{order} {stage}", order, stage=stage) for order, stage in PASSES]
        return {"frames": 100, "views": views}
    return {"frames": len(own()) + 1, "views": [view("fa2", "fa2")]}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves static/, the page beside this file, and the scenes."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path):
        inside = path.split("?")[0].lstrip("/")
        return str((ROOT if inside.startswith("static/") else Path(__file__).parent) / inside)

    def do_GET(self):
        found = re.fullmatch(r"/scenes/(.*)\.json", self.path)
        if not found:
            return super().do_GET()
        body = json.dumps(scene(found[1]), allow_nan=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(watched, address):
    """Opens the page with a scene; sizes are those of a panel at 1280 x 720."""

    def visit(name="fa2", query="size=520x437", **options):
        page = watched(**options)
        page.goto(f"{address}/tiles.html?scene=/scenes/{name}.json&{query}")
        page.wait_for_function("window.stage?.ready && stage.drawn() > 0")
        return page

    return visit


def show(page, position):
    """Goes to a position and waits until it is drawn."""
    page.evaluate("position => stage.show(position)", position)
    settle(page)


def settle(page):
    """Waits for a picture drawn after now."""
    drawn = page.evaluate("stage.ctx.invalidate(), stage.drawn()")
    page.wait_for_function("drawn => stage.drawn() > drawn", arg=drawn)


def pixels(page, view=0):
    """The pixels of a view's canvas, shape (H, W, 4)."""
    width, data = page.evaluate(
        """view => {
          const { width, height } = stage.panels[view].element.querySelector('canvas');
          const g = stage.panels[view].element.querySelector('canvas').getContext('2d');
          const { data } = g.getImageData(0, 0, width, height);
          let text = '';
          for (let i = 0; i < data.length; i += 32768)
            text += String.fromCharCode(...data.subarray(i, i + 32768));
          return [width, btoa(text)];
        }""",
        view,
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(-1, width, 4)


def share_of(picture, colour, within=30):
    """The share of pixels near a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(picture[..., :3].astype(int) - wanted).max(-1) < within
    return (near & (picture[..., 3] > 200)).mean()


def player(page, call, view=0):
    return page.evaluate(f"stage.panels[{view}].player.{call}")


def written(page, position):
    """The texts of the first view at a position: {text, x, y, width, align, bold, turned} each."""
    show(page, position)
    return page.evaluate(
        """position => {
          const { fillText } = CanvasRenderingContext2D.prototype;
          const texts = [];
          CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
            const { a, b, e, f } = this.getTransform();
            const turned = b !== 0;
            const ratio = Math.hypot(a, b);
            const width = this.measureText(text).width;
            const [left, top] = turned ? [e / ratio, f / ratio] : [x, y];
            const bold = this.font.startsWith('600');
            texts.push({ text, x: left, y: top, width, align: this.textAlign, bold, turned });
          };
          stage.panels[0].player.draw(position);
          CanvasRenderingContext2D.prototype.fillText = fillText;
          return texts;
        }""",
        position,
    )


def beside(texts, plan):
    """The labels beside the rows: those that end left of the matrix."""
    cells = plan["cells"]
    ends = [item for item in texts if item["align"] == "right" and item["x"] < cells["x"]]
    return [item for item in ends if cells["y"] <= item["y"] <= cells["bottom"]]


def numbers(page, position, view=0):
    """The player's table as {(quantity, query, key): value}."""
    rows = player(page, f"table({position})", view)["rows"]
    return {(name, query, key): value for name, query, key, value in rows}


def plan_of(page):
    """Where the player put things, in CSS pixels."""
    return page.evaluate(
        """async () => {
          const { layOut } = await import('/static/js/tiles-layout.js');
          const { loadTrace } = await import('/static/js/tiles-trace.js');
          const { element, view } = stage.panels[0];
          const host = element.querySelector('.vt-host');
          const size = { width: host.clientWidth, height: host.clientHeight };
          const g = document.createElement('canvas').getContext('2d');
          const { cells, out, bars, fonts, labels, hbm, sram } =
            layOut(await loadTrace(view), size, g, stage.ctx.palette());
          const lane = ({ x, y, bottom, line }) => ({ x, y, bottom, line });
          return { cells, out, bars, labels, size: fonts.size, hbm: lane(hbm), sram: lane(sram) };
        }"""
    )


def cell(page, row, col):
    """The middle of a cell, on the canvas."""
    cells = plan_of(page)["cells"]
    return {
        "x": cells["x"] + (col + 0.5) * cells["cw"],
        "y": cells["y"] + (row + 0.5) * cells["ch"],
    }


def canvas(page, view=0):
    return page.locator(".vt-canvas").nth(view)


def find(phase, order="fa2", row=None):
    """The first step of a phase on a row, its number from 0; for "rescale", one where O fades."""
    for index, step in enumerate(own(order)):
        if step.phase != phase or (row is not None and not step.rows[0] <= row < step.rows[1]):
            continue
        if phase != "rescale" or 0 < float(step.rescale.min()) < 0.7:
            return index, step
    raise AssertionError(f"no {phase} in the trace")


# The picture.


def test_every_step_draws_another_picture(visit):
    page = visit()
    seen = page.evaluate(
        """count => {
          const { player, element } = stage.panels[0];
          const shots = Array.from({ length: count + 1 }, (_, k) => {
            player.draw(k);
            return element.querySelector('canvas').toDataURL();
          });
          return new Set(shots).size;
        }""",
        len(own()),
    )
    assert seen == len(own()) + 1
    show(page, 6)
    here = pixels(page)
    show(page, 6.5)
    assert (pixels(page) != here).any()
    show(page, 6)
    np.testing.assert_array_equal(pixels(page), here)


def test_colours_tell_done_now_on_chip_and_over_budget(visit):
    page = visit()
    show(page, 0)
    start = pixels(page)
    show(page, find("accumulate")[0] + 1)
    working = pixels(page)
    show(page, len(own()))
    end = pixels(page)
    assert share_of(start, "#d55e00") < 0.0005 < 0.004 < share_of(working, "#d55e00")
    assert share_of(working, "#a4478f") > 0.01
    assert max(step.chip_bytes for step in own()) > CAPACITY
    assert share_of(start, "#c0392b") < 0.0002 < 0.0008 < share_of(working, "#c0392b")
    assert share_of(end, "#0072b2") > share_of(start, "#0072b2") + 0.003


def test_the_tile_of_the_step_is_the_one_in_the_models_colour(visit):
    page = visit()
    index, step = find("softmax", row=ROWS - 1)
    show(page, index + 1)
    (top, _), (left, _) = step.rows, step.cols
    strong = int(step.chip["p"][0].argmax())
    for row, col, now in ((top, left + strong, True), (0, 0, False)):
        place = cell(page, row, col)
        red, _, blue, _ = map(int, pixels(page)[int(place["y"]), int(place["x"])])
        assert (red > blue + 60) is now


def test_blocks_travel_between_the_memories(visit):
    page = visit()
    index, _ = find("load_kv")
    plan, purple, pictures = plan_of(page), [], set()
    for fraction in (0.35, 0.5, 0.65, 1):
        show(page, index + fraction)
        between = pixels(page)[int(plan["hbm"]["bottom"]) : int(plan["sram"]["y"])]
        purple.append(share_of(between, "#a4478f") * between[..., 0].size)
        pictures.add(between.tobytes())
    assert len(pictures) == 4
    assert min(purple[:3]) > purple[3] + 200


def test_the_output_fades_by_the_factor_of_the_trace(visit):
    page = visit()
    index, step = find("rescale")
    row = step.rows[0] + int(step.rescale[:, 0].argmin())
    factor = float(step.rescale[row - step.rows[0], 0])
    faded = page.evaluate(
        """async ({ row, step }) => {
          const { loadTrace } = await import('/static/js/tiles-trace.js');
          const { fadeOf } = await import('/static/js/tiles-sides.js');
          const trace = await loadTrace(stage.panels[0].view);
          return [0, 0.5, 1].map((fraction) => fadeOf(trace, row, { step, fraction }));
        }""",
        {"row": row, "step": index},
    )
    np.testing.assert_allclose(faded, [1, (1 + factor) / 2, factor], rtol=1e-6)
    plan = plan_of(page)
    box = plan["out"], plan["cells"]["y"] + row * plan["cells"]["ch"], plan["cells"]["ch"]
    strength = []
    for fraction in (0.01, 0.5, 1):
        show(page, index + fraction)
        out, top, height = box
        area = pixels(page)[int(top + 4) : int(top + height - 5), int(out["x"]) : int(out["right"])]
        strength.append((area[..., 3].astype(float)).mean())
    assert strength[0] > strength[1] > strength[2]
    number = f"{factor:.3f}"
    show(page, index + 1)
    if row == step.rows[0]:
        assert number in player(page, f"describe({index + 1})")
    after = numbers(page, index + 1)
    before = numbers(page, index)
    assert after["rescale", row, None] == pytest.approx(factor, rel=1e-6)
    held = after["out[0]", row, None]
    assert held == pytest.approx(before["out[0]", row, None] * factor, abs=2e-3)


@pytest.mark.parametrize("size", ["520x437", "900x437", "366x366"])
@pytest.mark.parametrize("row", [None, 15, 16])
def test_a_label_stands_beside_its_own_row(visit, size, row):
    page = visit("long", f"size={size}")
    page.evaluate("row => stage.panels[0].player.update({ patch: true, row })", row)
    for done in (0, 40):
        plan = plan_of(page)
        cells, size = plan["cells"], plan["size"]
        shown = beside(written(page, done), plan)
        assert len(shown) >= LONG // 8
        for item in shown:
            assert int(item["text"]) < LONG
            assert item["y"] == pytest.approx(cells["y"] + (int(item["text"]) + 0.5) * cells["ch"])
            assert item["x"] - item["width"] >= 0
        heights = sorted(item["y"] for item in shown)
        assert min(np.diff(heights)) >= size - 1e-6
        rows = [int(item["text"]) for item in shown]
        assert row is None or row in rows
        bold = [int(item["text"]) for item in shown if item["bold"]]
        assert bold == [] if row is None else bold == [row]
        assert np.gcd.reduce([index for index in rows if index != row]) in (1, 2, 4, 8)


def test_a_label_stands_above_its_own_column(visit):
    page = visit("words", "size=520x437")
    plan = plan_of(page)
    cells = plan["cells"]
    above = [item for item in written(page, 40) if item["y"] < cells["y"] and item["turned"]]
    middles = {
        round(cells["x"] + (col + 0.5) * cells["cw"], 3): TOKENS[col % ROWS] for col in range(LONG)
    }
    assert len(above) >= LONG // 6
    for item in above:
        found = min(middles, key=lambda middle: abs(middle - item["x"]))
        assert found == pytest.approx(item["x"], abs=1e-2)
        assert middles[found].startswith(item["text"].rstrip("…"))


def test_the_caption_speaks_of_the_chosen_row(visit):
    page = visit()
    steps_ = own()
    last = ROWS - 1
    page.evaluate("row => stage.panels[0].player.update({ patch: true, row })", last)

    def caption(done):
        texts = [item["text"] for item in written(page, done)]
        index = next(k for k, line in enumerate(texts) if re.match(r"(row \d+|第 \d+ 行)", line))
        return texts[index], texts[index + 1]

    assert caption(0) == (f"row {last} {TOKENS[last]}", "not begun")
    assert caption(3) == (f"row {last} {TOKENS[last]}", "not begun")
    assert f"row {last} not begun" in player(page, "describe(3)")
    page.evaluate("document.documentElement.lang = 'zh'")
    assert caption(3) == (f"第 {last} 行 {TOKENS[last]}", "尚未开始")
    page.evaluate("document.documentElement.lang = 'en'")
    page.evaluate("stage.panels[0].player.update({ patch: true, row: 0 })")
    known = max(k for k, step in enumerate(steps_) if step.rows and step.rows[0] == 0)
    chip = next(s.chip for s in reversed(steps_[: known + 1]) if "l" in s.chip and s.rows[0] == 0)
    m, sum_ = (f"{float(chip[name][0]):.2f}".replace("-", "−") for name in ("m", "l"))
    for done in (known + 6, len(steps_)):
        assert caption(done) == (f"row 0 {TOKENS[0]}", f"m {m} · l {sum_}")
        assert f"row 0 has m {m} and l {sum_}" in player(page, f"describe({done})")


def test_nothing_is_drawn_over_the_memories_texts(visit):
    for size in ("520x437", "900x437"):
        page = visit("fa2", f"size={size}")
        index, _ = find("load_kv")
        hbm, sram = (plan_of(page)[name] for name in ("hbm", "sram"))
        for fraction in (0.2, 0.5, 0.8):
            for item in written(page, index + fraction):
                between = item["x"] > hbm["x"] and hbm["bottom"] < item["y"] < sram["y"]
                assert not between or re.fullmatch("[QKVOL][₀-₉]*", item["text"])
        show(page, index + 0.5)
        moving = pixels(page)
        show(page, index + 1)
        resting = pixels(page)
        changed = (moving != resting).any(-1)
        line = slice(int(sram["line"]) - 5, int(sram["line"]) + 6)
        left = slice(int(sram["x"]), int(sram["x"]) + 36)
        assert not changed[line, left].any()
        assert changed[int(hbm["bottom"]) + 1 : int(sram["y"])].any()


@pytest.mark.parametrize("size", ["300x300", "366x366", "410x437"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_written_stays_in_the_panel(visit, size, language):
    page = visit("long", f"size={size}&lang={language}")
    page.evaluate("stage.panels[0].player.update({ patch: true, row: 20 })")
    width = int(size.split("x")[0])
    title = page.locator(".vt-panel-head b").bounding_box()
    panel = page.locator(".vt-panel").bounding_box()
    for done in (0, 22.5, 100):
        texts = [item for item in written(page, done) if not item["turned"]]
        for item in texts:
            share = {"left": 0, "center": 0.5, "right": 1}[item["align"]]
            left = item["x"] - share * item["width"]
            assert left >= 0, item
            assert left + item["width"] <= width - 2, item
        status = min((item for item in texts if item["align"] == "right"), key=lambda t: t["y"])
        assert status["x"] - status["width"] > title["x"] + title["width"] - panel["x"]


# The numbers.


def test_counters_are_those_of_the_trace(visit):
    page = visit("all", "size=300x300")
    for index, (order, stage) in enumerate(PASSES):
        found = own(order, stage, stage == "backward")
        for done in (1, len(found) // 2, len(found)):
            table, step = numbers(page, done, index), found[done - 1]
            for name in ("read", "written", "flops"):
                assert table[name, None, None] == getattr(step, name)
            assert table["chip", None, None] == step.chip_bytes
            assert table["phase", None, None] == step.phase
        start = player(page, f"describe({len(found)})", index)
        assert start.startswith(f"Step {len(found)} of {len(found)}: ")
        assert "undefined" not in start
    show(page, 40)
    for index in range(len(PASSES)):
        assert share_of(pixels(page, index), "#0072b2", 110) > 0.01


def test_m_l_and_o_are_those_of_the_chip(visit):
    page = visit()
    for index, step in enumerate(own()):
        if step.rows is None or "m" not in step.chip or index % 5:
            continue
        table = numbers(page, index + 1)
        for row in range(*step.rows):
            local = row - step.rows[0]
            for name in ("m", "l"):
                told = table[name, row, None]
                real = float(step.chip[name][local])
                assert told == pytest.approx(real, rel=1e-6)
            held = float(step.chip["o"][local, 3])
            assert table["out[3]", row, None] == pytest.approx(held, abs=2e-3)


def test_hover_tells_the_numbers_of_the_cell(visit):
    page = visit()
    index, step = find("accumulate", row=6)
    row = step.rows[0] + 1
    q, k, _ = heads()
    logits = (q.double() @ k.double().T / math.sqrt(DIM)).masked_fill(
        torch.ones(ROWS, ROWS).triu(1).bool(), -torch.inf
    )
    weights = logits.softmax(-1)[row]
    col = int(weights[slice(*step.cols)].argmax()) + step.cols[0]
    weight = float(weights[col])
    show(page, index + 2)
    canvas(page).hover(position=cell(page, row, col))
    settle(page)
    told = page.locator(".vt-tip").inner_text()
    wanted = float(find("scores", row=6)[1].chip["s"][1, col - step.cols[0]])
    assert wanted == pytest.approx(float(logits[row, col]), abs=1e-4)
    assert weight > 0.001
    for number in (f"{wanted:.2f}".replace("-", "−"), f"{weight:.4f}", f"{row} {TOKENS[row]}"):
        assert number in told, told
    assert "Q₁ × K₀" in told
    canvas(page).hover(position=cell(page, 0, ROWS - 1))
    settle(page)
    assert "masked" in page.locator(".vt-tip").inner_text()
    page.mouse.move(1200, 700)
    settle(page)
    assert page.locator(".vt-tip").is_hidden()


def test_the_alternative_says_what_happens(visit):
    page = visit()
    index, step = find("softmax", row=7)
    before, after = float(own()[index - 1].chip["m"][0]), float(step.chip["m"][0])
    told = player(page, f"describe({index + 1})")
    assert told.startswith(f"Step {index + 1} of {len(own())}: ")
    assert f"{after:.2f}".replace("-", "−") in told
    if math.isfinite(before) and before < after:
        assert "rises from" in told
    assert f"{(step.read + step.written) / 1024:.1f} KiB moved" in told
    page.evaluate("document.documentElement.lang = 'zh'")
    assert player(page, f"describe({index + 1})").startswith(f"第 {index + 1} 步")
    assert "尚未开始" in player(page, "describe(0)")


def test_the_race_is_run_at_the_same_bandwidth(visit):
    page = visit("race")
    ours, theirs = race(own("fa2"), own("naive"))
    frame = len(own("fa2")) // 2
    show(page, frame)
    moved = page.evaluate(
        """async frame => {
          const { loadTrace } = await import('/static/js/tiles-trace.js');
          const traces = await Promise.all(stage.panels.map(({ view }) => loadTrace(view)));
          return traces.map((trace) => trace.moved(trace.moment(frame).done));
        }""",
        frame,
    )
    step = own("fa2")[frame - 1]
    assert moved[0] == step.read + step.written
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)
    assert ours[-1] == len(own("fa2"))
    assert theirs[-1] == pytest.approx(len(own("naive")))


# What a viewer does.


def test_a_click_picks_the_row_and_keys_walk_it(visit):
    page = visit()
    show(page, 9)
    canvas(page).click(position=cell(page, 4, 2))
    settle(page)
    assert page.evaluate("stage.events") == [
        {"name": "pick", "view": "fa2", "x": 4, "y": 0, "row": 4}
    ]
    canvas(page).focus()
    for key in (".", ".", ","):
        page.keyboard.press(key)
    assert [event["row"] for event in page.evaluate("stage.events")] == [4, 5, 6, 5]
    page.keyboard.press("ArrowRight")
    assert len(page.evaluate("stage.events")) == 4
    settle(page)
    assert "Row 5 is chosen" in page.locator("#alternative").inner_text()
    assert canvas(page).get_attribute("aria-label").startswith("fa2")


def test_the_theme_is_followed(visit):
    page = visit()
    show(page, find("accumulate", row=ROWS - 1)[0] + 1)
    light = pixels(page)
    page.evaluate("document.body.classList.add('dark')")
    settle(page)
    dark = pixels(page)
    for before, after in (("#d55e00", "#f0a35e"), ("#0072b2", "#56b4e9")):
        assert share_of(light, before) > 0.0006
        assert share_of(dark, after) > 0.0006
        assert share_of(dark, before) < 0.0002


def test_a_patch_marks_a_row_and_destroy_leaves_nothing(visit):
    page = visit()
    show(page, 20)
    before = pixels(page)
    page.evaluate("async () => stage.panels[0].player.update({ patch: true, row: 3 })")
    settle(page)
    assert (pixels(page) != before).any()
    page.evaluate("stage.panels[0].player.destroy()")
    assert page.locator(".vt-host").first.inner_html() == ""


def test_a_phone_and_a_fine_screen_get_everything(visit):
    page = visit(
        query="size=366x366",
        viewport={"width": 390, "height": 844},
        device_scale_factor=3,
        has_touch=True,
    )
    show(page, find("rescale")[0] + 0.5)
    assert pixels(page).shape[:2] == (2 * 366, 2 * 366)
    plan = plan_of(page)
    assert plan["size"] >= 11
    assert plan["out"]["right"] < 366
    assert plan["cells"]["bottom"] < 300
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    canvas(page).tap(position=cell(page, 2, 1))
    settle(page)
    assert page.evaluate("stage.events.at(-1).row") == 2
    assert page.locator(".vt-tip").is_visible()


def test_a_snapshot_has_any_size_and_is_opaque(visit):
    page = visit("both")
    for index in (0, 1):
        shape = page.evaluate(
            """async index => {
              const shot = await stage.panels[index].player.snapshot(7.5, 901, 333);
              const { data } = shot.getContext('2d').getImageData(0, 0, 901, 333);
              const opaque = data.every((value, k) => k % 4 < 3 || value === 255);
              const colours = new Set(new Uint32Array(data.buffer));
              return [shot.width, shot.height, opaque, colours.size > 40];
            }""",
            index,
        )
        assert shape == [901, 333, True, True]


# One row.


def test_one_row_is_the_online_softmax(visit):
    page = visit("online")
    elements = list(online_softmax(scores()))
    for done in (1, 5, ROW + 1, ROWS):
        show(page, done)
        table = player(page, f"table({done})")["rows"]
        assert [row[4] for row in table] == pytest.approx(elements[done - 1].weights.tolist())
        assert share_of(pixels(page), "#0072b2", 90) > (0.004 if done > 1 else -1)
    jump = next(e for e in elements[1:] if 0 < e.rescale < 0.9)
    told = player(page, f"describe({jump.index + 1})")
    assert f"fades by {jump.rescale:.3f}" in told
    assert f"m rises from {jump.m_before:.2f}" in told
    assert TOKENS[jump.index] in told
    assert "masked" in player(page, f"describe({ROWS})")


def test_what_came_before_fades_inside_an_element(visit):
    page = visit("online")
    elements = list(online_softmax(scores()))
    jump = next(e for e in elements[1:] if 0 < e.rescale < 0.9)
    states = page.evaluate(
        """async index => {
          const { stateOf } = await import('/static/js/online-draw.js');
          return [0, 0.3, 1].map((fraction) => stateOf(stage.panels[0].view, { index, fraction }));
        }""",
        jump.index,
    )
    assert states[0]["fade"] == 1 > states[1]["fade"] > states[2]["fade"]
    assert states[2]["fade"] == pytest.approx(jump.rescale)
    assert states[2]["total"] == pytest.approx(scene("online")["views"][0]["l"][jump.index + 1])
    pictures = []
    for fraction in (0.01, 0.3, 1):
        show(page, jump.index + fraction)
        pictures.append(pixels(page).tobytes())
    assert len(set(pictures)) == 3


def test_hover_on_the_row_tells_its_weight(visit):
    page = visit("online", "size=900x437")
    show(page, ROW + 1)
    box = canvas(page).bounding_box()
    canvas(page).hover(position={"x": box["width"] * 2.5 / ROWS, "y": box["height"] * 0.3})
    settle(page)
    weight = list(online_softmax(scores()))[ROW].weights[2]
    assert f"{float(weight):.4f}" in page.locator(".vt-tip").inner_text()
