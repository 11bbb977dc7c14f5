"""The painter and the curve on a page of their own, driven by mouse, finger, pen and keys."""

import base64
import http.server
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOCAL, served

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SIZE = 64
WIDE = {"width": 900, "height": 700}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves static/ and the harness beside this file."""

    def translate_path(self, path):
        inside = path.split("?")[0].lstrip("/")
        folder = ROOT if inside.startswith("static/") else Path(__file__).parent
        return str(folder / inside)

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
    """Opens the harness in a new window."""
    contexts = []

    def visit(query="", **options):
        contexts.append(chromium.new_context(**{"viewport": WIDE, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda told: told.type == "error" and trouble.append(told.text))
        page.on("request", lambda seen: seen.url.startswith(LOCAL) or trouble.append(seen.url))
        page.goto(f"{address}/painter.html?{query}")
        page.wait_for_function("window.lab?.ready")
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def window(visit):
    return visit()


@pytest.fixture
def page(window):
    """A blank painter, as it is mounted: the shared window, loaded anew."""
    window.set_viewport_size(WIDE)
    window.reload()
    window.wait_for_function("window.lab?.ready")
    return window


def cells(page, text=None):
    """The painting of the overlaid painter, by the server's rules."""
    text = page.evaluate("lab.over.value()") if text is None else text
    if text == "":
        return np.zeros((SIZE, SIZE), int)
    packed = base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    pairs = np.frombuffer(zlib.decompress(packed, -15), np.uint8).reshape(SIZE, SIZE // 2)
    return np.stack([pairs >> 4, pairs & 15], axis=2).reshape(SIZE, SIZE).astype(int)


def place(page, column, row):
    """The window's pixel at a cell of the overlaid painter."""
    box = page.locator(".over canvas").bounding_box()
    side = min(box["width"], box["height"])
    scale = side / 6.4 * 4.8 / SIZE  # the harness shows 6.4 units and paints on 4.8 of them
    x = box["x"] + box["width"] / 2 + (column - SIZE / 2) * scale
    return x, box["y"] + box["height"] / 2 + (row - SIZE / 2) * scale


def draw(page, *points, steps=6):
    """Draws a line through cells; returns once the painter has told of it."""
    told = page.evaluate("lab.log.input.length")
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=steps)
    page.mouse.up()
    settled(page)
    assert page.evaluate("lab.log.input.length") > told


def settled(page):
    """Waits until the text has caught up with the hand."""
    page.evaluate("lab.over.settled()")


def press(page, tool):
    page.locator(f".over [data-tool={tool}]").click()


def shape(page, name):
    press(page, "stamps")
    press(page, name)


class TestStroke:
    def test_ink_is_where_the_hand_was(self, page):
        draw(page, (8, 6), (40, 6))
        ink = cells(page)
        assert ink[6, 8:40].min() == 15
        assert ink[:3].max() == 0
        assert ink[10:].max() == 0
        assert ink[:, :5].max() == 0

    def test_it_is_told_while_it_lasts_and_once_when_it_ends(self, page):
        page.mouse.move(*place(page, 10, 10))
        page.mouse.down()
        page.mouse.move(*place(page, 30, 30), steps=5)
        page.wait_for_function("lab.log.input.length > 0")
        page.mouse.move(*place(page, 50, 10), steps=30)
        page.mouse.up()
        settled(page)
        told = page.evaluate("lab.log.input")
        assert len(told) < 20
        assert len(set(told)) == len(told)
        assert cells(page, told[0])[10, 49] == 0
        assert cells(page)[11, 49] > 0

    def test_a_drawing_fits_in_the_address(self, page):
        turns = np.linspace(0, 1, 60)
        spiral = [(32 + 28 * t * math.cos(14 * t), 32 + 28 * t * math.sin(14 * t)) for t in turns]
        draw(page, *spiral, steps=1)
        assert 300 < len(page.evaluate("lab.over.value()")) < 1500

    def test_a_hand_that_leaves_the_paper_comes_back(self, page):
        draw(page, (30, 32), (90, 32), (60, 40))
        assert cells(page)[32, 32:63].min() > 0

    def test_widths_differ(self, page):
        for size, row in enumerate((8, 28, 48)):
            press(page, f"size{size}")
            draw(page, (10, row), (54, row))
        ink = cells(page)[:, 32] > 7
        assert ink[2:14].sum() < ink[20:36].sum() < ink[38:60].sum()

    def test_the_eraser_takes_ink_away(self, page):
        draw(page, (10, 32), (54, 32))
        press(page, "eraser")
        draw(page, (32, 20), (32, 44))
        ink = cells(page)
        assert ink[32, 32] == 0
        assert ink[32, 14] == ink[32, 50] == 15

    def test_the_mirror_doubles_a_stroke(self, page):
        press(page, "mirror")
        expect(page.locator(".over [data-tool=mirror]")).to_have_attribute("aria-pressed", "true")
        draw(page, (8, 8), (20, 40))
        ink = cells(page)
        assert ink[:, :32].any()
        assert np.abs(ink - ink[:, ::-1]).max() <= 1

    def test_a_pen_feels_pressure_and_a_second_finger_is_ignored(self, page):
        page.evaluate(
            """([thin, thick, stray]) => {
              const canvas = document.querySelector('.over canvas');
              canvas.setPointerCapture = () => {};
              const send = (type, [x, y], more) => canvas.dispatchEvent(new PointerEvent(type, {
                clientX: x, clientY: y, button: 0, bubbles: true, ...more }));
              const stroke = ([from, to], pressure) => {
                const pen = { pointerId: 7, pointerType: 'pen', pressure };
                send('pointerdown', from, pen);
                for (let i = 1; i <= 10; i++) {
                  send('pointermove', from.map((a, k) => a + (to[k] - a) * i / 10), pen);
                  send('pointermove', stray, { pointerId: 8, pointerType: 'touch' });
                }
                send('pointerdown', stray, { pointerId: 8, pointerType: 'touch' });
                send('pointerup', to, pen);
              };
              stroke(thin, 0.1);
              stroke(thick, 0.9);
            }""",
            [
                [place(page, 10, 20), place(page, 54, 20)],
                [place(page, 10, 40), place(page, 54, 40)],
                place(page, 32, 58),
            ],
        )
        page.wait_for_function("lab.log.input.length > 0")
        settled(page)
        ink = cells(page)
        assert 0 < ink[12:28, 32].sum() < 0.6 * ink[32:48, 32].sum()
        assert ink[52:].max() == 0


class TestShapes:
    @pytest.mark.parametrize(
        ("name", "middle", "share"),
        [
            ("circle", 15, math.pi / 4),
            ("ring", 0, 0.25),
            ("square", 15, 0.74),
            ("star", 15, 0.33),
            ("heart", 15, 0.6),
            ("line", 15, 0.08),
        ],
    )
    def test_a_shape_is_drawn_out(self, page, name, middle, share):
        shape(page, name)
        start = (12, 32) if name == "line" else (32, 32)
        draw(page, start, (40, 32), (52, 32))
        ink = cells(page)
        assert ink[32, 32] == middle
        assert ink.sum() / 15 / 40**2 == pytest.approx(share, abs=0.09)
        assert np.abs(ink - ink[:, ::-1]).mean() < 0.3

    def test_a_click_stamps_the_usual_size(self, page):
        shape(page, "circle")
        draw(page, (20, 20))
        assert cells(page).sum() / 15 == pytest.approx(math.pi * 7.5**2, rel=0.05)

    def test_the_row_of_shapes_closes(self, page):
        row = page.locator(".over .vt-painter-shapes")
        press(page, "stamps")
        expect(row).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".over [data-tool=ring]")).to_be_focused()
        page.keyboard.press("Escape")
        expect(row).to_be_hidden()
        expect(page.locator(".over [data-tool=stamps]")).to_be_focused()
        press(page, "stamps")
        draw(page, (10, 10), (20, 10))
        expect(row).to_be_hidden()


class TestHistory:
    def test_steps_are_taken_back_and_again(self, page):
        undo, redo = (page.locator(f".over [data-tool={name}]") for name in ("undo", "redo"))
        expect(undo).to_be_disabled()
        draw(page, (10, 10), (50, 10))
        first = page.evaluate("lab.over.value()")
        draw(page, (10, 30), (50, 30))
        second = page.evaluate("lab.over.value()")
        press(page, "clear")
        page.wait_for_function("lab.over.value() === ''")
        expect(page.locator(".over [data-tool=clear]")).to_be_disabled()
        for after in (second, first, ""):
            undo.click()
            page.wait_for_function("text => lab.over.value() === text", arg=after)
        expect(undo).to_be_disabled()
        expect(page.locator(".over .vt-painter-hint")).to_be_visible()
        for after in (first, second, ""):
            redo.click()
            page.wait_for_function("text => lab.over.value() === text", arg=after)
        expect(redo).to_be_disabled()

    def test_twenty_steps_are_kept(self, page):
        for column in range(22):
            page.mouse.click(*place(page, 4 + 2 * column, 10))
        page.wait_for_function("lab.log.input.length >= 22")
        settled(page)
        steps = 0
        while page.locator(".over [data-tool=undo]").is_enabled():
            before = page.evaluate("lab.over.value()")
            press(page, "undo")
            page.wait_for_function("before => lab.over.value() !== before", arg=before)
            steps += 1
        assert steps == 20
        assert cells(page)[10, 5] > 0


class TestKeyboard:
    def test_it_paints_alone(self, page):
        page.keyboard.press("Tab")
        sheet = page.locator(".over canvas")
        expect(sheet).to_be_focused()
        for _ in range(3):
            page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Enter")
        page.wait_for_function("lab.over.value() !== ''")
        assert cells(page)[32, 8] == 15
        assert cells(page)[:, 20:].max() == 0
        page.keyboard.down(" ")
        for _ in range(4):
            page.keyboard.press("Shift+ArrowRight")
        page.keyboard.up(" ")
        page.wait_for_function("lab.log.input.length > 1")
        settled(page)
        assert cells(page)[32, 8:40].min() == 15
        page.keyboard.press("Control+z")
        page.wait_for_function("lab.over.value() === lab.log.input[0]")
        page.keyboard.press("Control+Shift+Z")
        page.wait_for_function("lab.over.value() !== lab.log.input[0]")
        assert (
            page.evaluate("(lab.log.leaked ?? []).filter((key) => !/Tab|Shift|Control/.test(key))")
            == []
        )

    def test_letters_choose_tools(self, page):
        page.locator(".over canvas").focus()
        for key, tool in (("e", "eraser"), ("b", "brush"), ("3", "size2"), ("m", "mirror")):
            page.keyboard.press(key)
            button = page.locator(f".over [data-tool={tool}]")
            expect(button).to_have_attribute("aria-pressed", "true")

    def test_the_tools_are_one_stop_of_tab(self, page):
        page.locator(".over canvas").focus()
        page.keyboard.press("Tab")
        expect(page.locator(".over [data-tool=brush]")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".over [data-tool=eraser]")).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator(".over [data-tool=picture]")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator(".alone canvas")).to_be_focused()


class TestValue:
    def test_a_painting_survives_being_set(self, page):
        rng = np.random.default_rng(0)
        paintings = [rng.integers(0, 16, SIZE * SIZE), np.tile(np.arange(16), 256)]
        paintings.append(np.where(rng.random(SIZE * SIZE) > 0.5, 15, 0))
        for painting in paintings:
            page.evaluate(
                """async (painting) => {
                  const board = new (await import('/static/js/painter-board.js')).Board();
                  const tones = Uint8Array.from(painting);
                  board.load(tones);
                  if (board.cells().some((tone, i) => tone !== tones[i])) throw new Error('lost');
                }""",
                painting.tolist(),
            )

    def test_setting_is_silent_and_can_be_taken_back(self, page):
        draw(page, (10, 10), (50, 50))
        drawn = page.evaluate("lab.over.value()")
        other = page.evaluate("lab.encodeInk(new Uint8Array(4096).fill(9))")
        page.evaluate("other => lab.over.setValue(other)", other)
        assert page.evaluate("lab.over.value()") == other
        assert page.evaluate("lab.log.input.at(-1)") == drawn
        press(page, "undo")
        page.wait_for_function("drawn => lab.over.value() === drawn", arg=drawn)

    def test_an_echo_does_not_undo_what_came_after_it(self, page):
        draw(page, (10, 10), (50, 10))
        first = page.evaluate("lab.over.value()")
        draw(page, (10, 30), (50, 30))
        second = page.evaluate("lab.over.value()")
        page.evaluate("first => lab.over.setValue(first)", first)
        assert page.evaluate("lab.over.value()") == second

    def test_what_is_no_painting_is_refused(self, page):
        page.evaluate("lab.over.setValue('1broken')")
        expect(page.get_by_role("alert")).to_have_text("This painting could not be read.")
        assert page.evaluate("lab.over.value()") == ""

    def test_it_can_start_with_a_painting(self, visit, page):
        draw(page, (10, 10), (50, 10))
        text = page.evaluate("lab.over.value()")
        page.goto(page.url.split("?")[0] + f"?ink={text}")
        page.wait_for_function("text => window.lab?.alone.value() === text", arg=text)
        expect(page.locator(".alone [data-tool=undo]")).to_be_disabled()
        page.goto(page.url.split("?")[0])


class TestPicture:
    def choose(self, page, name, kind, data):
        page.set_input_files(
            ".over input[type=file]", {"name": name, "mimeType": kind, "buffer": data}
        )

    def test_a_chosen_picture_is_handed_on(self, page):
        with page.expect_file_chooser():
            press(page, "picture")
        self.choose(page, "a.png", "image/png", PIXEL)
        handed = {"name": "a.png", "type": "image/png", "size": len(PIXEL)}
        assert page.evaluate("lab.log.pictures") == [handed]

    @pytest.mark.parametrize(
        ("name", "kind", "size", "said"),
        [
            ("a.gif", "image/gif", 10, "must be a PNG, JPEG or WebP file, got image/gif."),
            ("a", "", 10, "got a file of unknown type."),
            ("a.jpg", "image/jpeg", 5_100_000, "must be at most 5 MB, got 5.1 MB."),
        ],
    )
    def test_others_are_refused_in_a_sentence(self, page, name, kind, size, said):
        page.evaluate(
            """([name, type, size]) => {
              const file = new File([new Uint8Array(size)], name, { type });
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(file);
              const painter = document.querySelector('.over .vt-painter');
              const carried = { dataTransfer, bubbles: true, cancelable: true };
              for (const kind of ['dragenter', 'dragover', 'drop']) {
                painter.dispatchEvent(new DragEvent(kind, carried));
              }
            }""",
            [name, kind, size],
        )
        expect(page.get_by_role("alert")).to_contain_text(said)
        assert page.evaluate("lab.log.pictures") == []
        assert said in page.evaluate("lab.log.errors[0]")

    def test_without_a_taker_there_is_no_button(self, page):
        expect(page.locator(".over [data-tool=picture]")).to_be_visible()
        assert page.locator(".alone [data-tool=picture]").count() == 0


def colour_at(page, column, row):
    x, y = place(page, column, row)
    return page.evaluate(
        """async ([x, y]) => {
          const frame = () => new Promise(requestAnimationFrame);
          await frame(); // one in which the sheet is drawn, one in which it has been
          await frame();
          const canvas = document.querySelector('.over canvas');
          const box = canvas.getBoundingClientRect();
          const ratio = canvas.width / box.width;
          const at = [(x - box.left) * ratio, (y - box.top) * ratio];
          return [...canvas.getContext('2d').getImageData(...at, 1, 1).data].slice(0, 3);
        }""",
        [x, y],
    )


class TestLook:
    def test_ink_follows_the_theme(self, page):
        draw(page, (16, 31.5), (46, 31.5))
        assert colour_at(page, 24, 32) == [0, 114, 178]
        page.evaluate("document.body.classList.add('dark')")
        page.wait_for_function("getComputedStyle(document.body).colorScheme === 'dark'")
        assert colour_at(page, 24, 32) == [86, 180, 233]
        assert colour_at(page, 20, 50) == [15, 17, 20]

    def test_a_resize_keeps_the_painting(self, page):
        draw(page, (16, 31.5), (46, 31.5))
        before = page.evaluate("lab.over.value()")
        page.set_viewport_size({"width": 420, "height": 900})
        page.wait_for_function(
            "([canvas]) => canvas.width === canvas.clientWidth",
            arg=[page.locator(".over canvas").element_handle()],
        )
        assert page.evaluate("lab.over.value()") == before
        assert colour_at(page, 24, 32) == [0, 114, 178]
        draw(page, (32, 10), (32, 20))
        assert cells(page)[12:18, 32].min() == 15

    def test_it_speaks_chinese(self, page):
        page.evaluate(
            "document.documentElement.lang = 'zh'; lab.over.relabel(); lab.curve.relabel()"
        )
        expect(page.locator(".over").get_by_role("button", name="画笔（b）")).to_be_visible()
        expect(page.locator(".over .vt-painter-hint")).to_have_text("在这里画，或拖入图片")
        expect(page.get_by_role("slider", name="时间表 β(t), 第 1 点，共 16 点")).to_be_visible()

    def test_a_finger_paints_on_a_phone(self, visit):
        page = visit(**PHONE, device_scale_factor=3)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        for button in page.locator(".over .vt-painter-tools > button:visible").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 32
        page.locator(".over [data-tool=sizes]").tap()
        expect(page.locator(".over [data-tool=sizes]")).to_have_attribute("style", "--dot: 14px;")
        canvas = page.locator(".over canvas")
        assert canvas.evaluate("canvas => canvas.width === 2 * canvas.clientWidth")
        session = page.context.new_cdp_session(page)
        points = [place(page, 10 + i, 20) for i in range(0, 40, 4)]
        for kind, at in [("touchStart", points[0]), *(("touchMove", p) for p in points[1:])]:
            touch = {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]}
            session.send("Input.dispatchTouchEvent", touch)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_function("lab.log.input.length > 0")
        settled(page)
        assert cells(page)[20, 12:44].min() == 15
        assert page.evaluate("scrollY") == 0


class TestCurve:
    def sweep(self, page, *shares):
        box = page.locator(".curve svg").bounding_box()
        inner = {"x": box["width"] - 48, "y": box["height"] - 24}
        points = [
            (box["x"] + 34 + u * inner["x"], box["y"] + 12 + v * inner["y"]) for u, v in shares
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()

    def test_one_sweep_sets_all_points(self, page):
        self.sweep(page, (0, 0), (0.4, 0.4), (1, 1))
        values = np.array(page.evaluate("lab.curve.value()"))
        assert values == pytest.approx(np.linspace(20, 0, 16), abs=0.5)
        assert page.evaluate("lab.log.settled").pop() == pytest.approx(values.tolist())

    def test_a_sweep_stays_within_the_range(self, page):
        self.sweep(page, (0.2, 0.5), (0.5, -3), (0.8, 5))
        values = page.evaluate("lab.curve.value()")
        assert max(values) <= 20
        assert min(values) >= 0

    def test_each_point_is_a_slider(self, page):
        sliders = page.get_by_role("slider")
        expect(sliders).to_have_count(16)
        sliders.first.focus()
        page.keyboard.press("ArrowRight")
        second = page.get_by_role("slider", name="Schedule β(t), point 2 of 16")
        expect(second).to_be_focused()
        page.keyboard.press("End")
        expect(second).to_have_attribute("aria-valuenow", "20")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("PageDown")
        expect(second).to_have_attribute("aria-valuenow", "17.6")
        assert page.evaluate("lab.log.settled.length") == 3
        assert page.evaluate("lab.curve.value()[1]") == pytest.approx(17.6)
        page.keyboard.press("Shift+Tab")
        expect(page.locator(".curve [role=slider]:focus")).to_have_count(0)

    def test_a_value_that_is_set_is_not_told(self, page):
        page.evaluate("lab.curve.setValue(Array(16).fill(99))")
        assert page.evaluate("lab.curve.value()") == [20] * 16
        assert page.evaluate("lab.log.settled") == []
