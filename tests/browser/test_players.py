"""The players on a page of their own, driven in a real Chromium as a viewer would."""

import base64
import functools
import http.server
import itertools
import json
import re
import urllib.parse
from pathlib import Path

import numpy as np
import plotly
import pytest

from labs.codec import decode, encode
from tests.browser.conftest import served

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).with_name("players.html")
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
FRAMES = 65
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


# A scene: a spiral of Gaussians, diffused by the variance-preserving SDE and brought back.


def spiral():
    """Centres of the mixture, shape (48, 2)."""
    turn = np.sqrt(np.linspace(0.02, 1, 48))
    angle, radius = 3 * np.pi * turn, 0.35 + 1.5 * turn
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def marginal(t):
    """Mean coefficient and standard deviation of a component at time t in [0, 1]."""
    mean = np.exp(-0.25 * t**2 * 11.9 - 0.5 * t * 0.1)
    return mean, np.sqrt(1 - mean**2 + (0.15 * mean) ** 2)


def score(x, t):
    """The gradient of log p_t at points x of shape (N, 2)."""
    mean, std = marginal(t)
    away = mean * spiral() - x[:, None]
    log = -0.5 * (away**2).sum(-1) / std**2
    weight = np.exp(log - log.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    return (weight[..., None] * away).sum(1) / std**2


def density(t, grid):
    """p_t at points of shape (..., 2)."""
    mean, std = marginal(t)
    square = ((grid[..., None, :] - mean * spiral()) ** 2).sum(-1)
    return np.exp(-0.5 * square / std**2).mean(-1) / (2 * np.pi * std**2)


def reverse(start, noise, substeps=4):
    """Positions at every frame, by Euler steps of the reverse SDE (or its ODE), (65, N, 2)."""
    rng = np.random.default_rng(3)
    times = np.linspace(1, 1e-3, (FRAMES - 1) * substeps + 1)
    x, kept = start, [start]
    for step, (t, after) in enumerate(itertools.pairwise(times)):
        beta, dt = 0.1 + 11.9 * t, t - after
        x = x + dt * beta * (0.5 * x + (1.0 if noise else 0.5) * score(x, t))
        if noise:
            x = x + np.sqrt(beta * dt) * rng.normal(size=x.shape)
        if (step + 1) % substeps == 0:
            kept.append(x)
    return np.stack(kept)


def text(en, zh):
    return {"en": en, "zh": zh}


def layers(path, style):
    """What both views show: the exact density, the cloud, five of its particles' paths."""
    times = np.linspace(1, 1e-3, 33)
    line = np.linspace(-3.2, 3.2, 64)
    grid = np.stack(np.meshgrid(line, line[::-1]), axis=-1)
    values = np.stack([density(t, grid) for t in times])
    peak = values.max((1, 2))
    cloud = {
        "id": "particle",
        "type": "points",
        "label": text("samples", "样本"),
        "role": "model",
        "from_role": "noise",
        "mix": [1 - marginal(t)[0] for t in times],
        "positions": encode(path, delta=True),
    }
    exact = {
        "id": "density",
        "type": "density",
        "label": text("exact density", "精确密度"),
        "role": "truth",
        "style": style,
        "peak": peak.tolist(),
        "values": encode(values / peak[:, None, None], quantise="uint8", delta=True),
    }
    paths = {
        "id": "path",
        "type": "paths",
        "label": text("paths", "路径"),
        "role": "model",
        "positions": encode(path[:, :5], delta=True),
    }
    return [exact, cloud, paths]


@functools.cache
def scene(points=2000):
    """A scene of two linked views and a plot, as JSON."""
    start = np.random.default_rng(1).normal(size=(points, 2))
    start[:5] = [[-2.2, 1.4], [0.5, 2.5], [2.6, 0.3], [1.5, -2.1], [-1.9, -2]]
    line = np.linspace(-2.9, 2.9, 15)
    anchors = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    times = np.linspace(1, 1e-3, 17)
    drift = np.stack([0.12 * 0.5 * (anchors + score(anchors, t)) for t in times])
    handle = {"id": "start", "type": "handles", "label": text("start", "起点"), "role": "data"}
    arrows = {
        "id": "drift",
        "type": "arrows",
        "label": text("velocity", "速度"),
        "role": "cond",
        "anchors": encode(anchors),
        "vectors": encode(drift, delta=True),
    }
    common = {"kind": "particles", "extent": [-3.2, 3.2, -3.2, 3.2]}
    left = {
        **common,
        "id": "left",
        "title": text("Reverse SDE", "反向 SDE"),
        "note": text("Euler–Maruyama", "Euler–Maruyama"),
        "layers": [
            *layers(reverse(start, noise=True), "contours"),
            {**handle, "positions": [[-1.0, -0.5]]},
        ],
    }
    right = {
        **common,
        "id": "right",
        "title": text("Probability-flow ODE", "概率流 ODE"),
        "note": text("same start", "起点相同"),
        "pick": True,
        "pin": [-2.0, 2.0],
        "layers": layers(reverse(start, noise=False), "contours"),
    }
    right["layers"].insert(1, arrows)
    ticks = np.linspace(1, 1e-3, FRAMES)
    return {
        "frames": FRAMES,
        "seconds": 6.0,
        "loop": "loop",
        "ticks": {"symbol": "t", "values": ticks.tolist()},
        "track": [float(marginal(t)[1]) for t in ticks],
        "views": [left, right, schedule(ticks)],
    }


def schedule(ticks):
    """A plot of the marginal's two coefficients."""
    mean, std = np.array([marginal(t) for t in ticks]).T
    trace = {"type": "scatter", "mode": "lines", "x": ticks.tolist()}
    return {
        "id": "schedule",
        "kind": "plot",
        "title": text("Schedule", "调度"),
        "note": text("", ""),
        "cursor": {"x": ticks.tolist()},
        "figure": {
            "data": [
                {**trace, "name": "mean", "y": mean.tolist(), "line": {"color": "role:data"}},
                {
                    **trace,
                    "name": "std",
                    "y": std.tolist(),
                    "line": {"color": "role:noise"},
                    "fill": "tozeroy",
                    "fillcolor": "role:noise@0.15",
                },
            ],
            "layout": {"xaxis": {"title": {"text": "t"}}},
        },
    }


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the page, static/, Plotly and the scene."""

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        path = address.path
        if path == "/scene.json":
            points = int(urllib.parse.parse_qs(address.query)["points"][0])
            return self.answer(json.dumps(scene(points)).encode(), "application/json")
        file = {"/": PAGE, "/assets/plotly.min.js": PLOTLY}.get(path)
        if file is None and path.startswith("/static/"):
            file = (ROOT / path[1:]).resolve()
        if file is None or not file.is_file() or not file.is_relative_to(ROOT):
            return self.send_error(404)
        return self.answer(file.read_bytes(), TYPES[file.suffix] + "; charset=utf-8")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    with served(Handler) as address:
        yield address


@pytest.fixture
def visit(watched, address):
    """Opens the page; a console error or a request off this machine fails the test."""

    def open_page(query="still", **options):
        page = watched(**options)
        page.goto(f"{address}/?points=400&{query}")
        page.wait_for_function("window.stage?.ready && stage.drawn() > 0")
        return page

    return open_page


def show(page, position):
    """Goes to a position and waits until it is drawn."""
    page.evaluate("position => stage.transport.seek(position)", position)
    repaint(page)


def repaint(page):
    """Waits for a picture drawn after now."""
    count = page.evaluate("stage.ctx.invalidate(), stage.drawn()")
    page.wait_for_function("count => stage.drawn() > count", arg=count)


def picture(page, view=0):
    """The pixels of a view's canvas, shape (H, W, 4)."""
    width, data = page.evaluate(
        """view => {
          const canvas = stage.panels[view].element.querySelector('canvas');
          const { width, height } = canvas;
          const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
          return [width, new Uint8Array(data.buffer).toBase64()];
        }""",
        view,
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(-1, width, 4)


def position(page):
    return page.evaluate("stage.transport.position")


def point(page, x, y, view=0):
    """Where a point of the plane lies on the screen."""
    x, y = float(x), float(y)
    box = page.locator(".vt-canvas").nth(view).bounding_box()
    scale = min(box["width"], box["height"]) / 6.4
    return box["x"] + box["width"] / 2 + x * scale, box["y"] + box["height"] / 2 - y * scale


def layer_of(view, name):
    return next(layer for layer in scene(400)["views"][view]["layers"] if layer["id"] == name)


def share_of_colour(pixels, colour, within=40):
    """The share of pixels near a colour given as #rrggbb."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(pixels[..., :3].astype(int) - wanted).max(-1) < within
    return (near & (pixels[..., 3] > 128)).mean()


# The picture.


def test_both_views_show_the_cloud_and_move(visit):
    page = visit()
    show(page, 64)
    for view in (0, 1):
        assert share_of_colour(picture(page, view), "#d55e00") > 0.003
    last = picture(page)
    show(page, 63)
    assert (picture(page) != last).any(-1).mean() > 0.003
    show(page, 63.5)
    between = picture(page)
    show(page, 64)
    np.testing.assert_array_equal(picture(page), last)
    assert (between != last).any()


def test_the_cloud_takes_the_colour_of_noise_where_mix_is_one(visit):
    page = visit()
    show(page, 0)
    assert share_of_colour(picture(page), "#d55e00", 20) < 0.002
    show(page, 64)
    assert share_of_colour(picture(page), "#d55e00", 20) > 0.002


def test_dots_lie_where_the_positions_say(visit):
    page = visit()
    page.evaluate(
        """async () => {
          const [x, y] = [1.25, -2];
          const layers = [{ id: 'one', type: 'handles', role: 'data', positions: [[x, y]] }];
          await stage.panels[0].player.update({ ...stage.scene.views[0], grid: false, layers });
        }"""
    )
    repaint(page)
    rows, columns = np.nonzero(picture(page)[..., 3] > 250)
    box = page.locator(".vt-canvas").first.bounding_box()
    x, y = point(page, 1.25, -2)
    assert columns.mean() == pytest.approx(x - box["x"], abs=1)
    assert rows.mean() == pytest.approx(y - box["y"], abs=1)


def test_heat_is_strongest_at_the_peak(visit):
    page = visit()
    page.evaluate(
        """async () => {
          const { layers, ...view } = stage.scene.views[0];
          const density = { ...layers.find(({ id }) => id === 'density'), style: 'heat' };
          await stage.panels[0].player.update({ ...view, grid: false, layers: [density] });
        }"""
    )
    show(page, 0)
    opacity = picture(page)[..., 3].astype(float)
    row, column = np.unravel_index(opacity.argmax(), opacity.shape)
    box = page.locator(".vt-canvas").first.bounding_box()
    x, y = point(page, 0, 0)
    assert np.hypot(column - (x - box["x"]), row - (y - box["y"])) < 30
    assert opacity.max() > 200
    assert opacity[0, 0] == 0


def test_trails_add_to_the_picture_and_leave_the_dots_as_they_are(visit):
    page = visit()
    show(page, 40)
    before = (picture(page)[..., 3] > 0).mean()
    dots = (picture(page)[..., 3] > 180).mean()
    patch = {"patch": True, "layers": [{"id": "particle", "trail": 8, "trail_count": 200}]}
    page.evaluate("patch => stage.panels[0].player.update(patch)", patch)
    repaint(page)
    assert (picture(page)[..., 3] > 0).mean() > before + 0.005
    assert (picture(page)[..., 3] > 180).mean() >= dots


def test_a_change_of_theme_repaints(visit):
    page = visit()
    show(page, 64)
    light = picture(page)
    count = page.evaluate("stage.drawn()")
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function("count => stage.drawn() > count", arg=count)
    dark = picture(page)
    assert share_of_colour(light, "#d55e00", 20) > 0.002
    assert share_of_colour(dark, "#d55e00", 20) < 0.0005
    assert share_of_colour(dark, "#f0a35e", 20) > 0.002


def test_the_picture_follows_the_size_of_its_host(visit):
    page = visit(device_scale_factor=2)
    for width in (1280, 700):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_function(
            """() => {
              const canvas = document.querySelector('.vt-canvas');
              return canvas.width === 2 * canvas.parentElement.clientWidth;
            }"""
        )
        show(page, 64)
        pixels = picture(page)
        assert share_of_colour(pixels, "#d55e00") > 0.003


def test_a_hidden_view_comes_back(visit):
    page = visit()
    page.evaluate("document.querySelector('main').classList.add('away')")
    show(page, 10)
    page.evaluate("document.querySelector('main').classList.remove('away')")
    show(page, 64)
    assert share_of_colour(picture(page), "#d55e00") > 0.003


# The transport.


def test_the_play_button_plays_and_pauses(visit):
    page = visit()
    page.get_by_role("button", name="Play (Space)").click()
    page.wait_for_function("stage.transport.position > 1")
    page.get_by_role("button", name="Pause (Space)").click()
    stopped = position(page)
    repaint(page)
    repaint(page)
    assert position(page) == stopped
    page.get_by_role("button", name="Play (Space)").wait_for()


def test_it_plays_by_itself_unless_the_viewer_wants_less_motion(visit):
    moving = visit("")
    moving.wait_for_function("stage.transport.position > 0.5")
    still = visit("", reduced_motion="reduce")
    repaint(still)
    repaint(still)
    assert position(still) == 0
    assert still.evaluate("stage.transport.reducedMotion") is True
    still.get_by_role("button", name="Play (Space)").click()
    still.wait_for_function("stage.transport.position > 0.5")


def test_the_buttons_step_between_whole_frames(visit):
    page = visit()
    forward = page.get_by_role("button", name="Step forward")
    back = page.get_by_role("button", name="Step back")
    show(page, 3.6)
    forward.click()
    assert position(page) == 4
    forward.click()
    assert position(page) == 5
    show(page, 3.4)
    back.click()
    assert position(page) == 3
    back.click()
    assert position(page) == 2
    page.get_by_role("button", name="First frame").click()
    assert position(page) == 0
    back.click()
    assert position(page) == 0


def test_the_speed_button_cycles_both_ways(visit):
    page = visit()
    button = page.locator(".vt-speed")
    seen = []
    for _ in range(5):
        button.click()
        seen.append(button.inner_text())
    assert seen == ["2×", "4×", "0.25×", "0.5×", "1×"]
    button.click(modifiers=["Shift"])
    assert button.inner_text() == "0.5×"


def test_the_keyboard_drives_the_transport(visit):
    page = visit()
    press = page.keyboard.press
    for key, expected in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 64)]:
        press(key)
        assert position(page) == expected
    press("Home")
    assert position(page) == 0
    press("]")
    assert page.evaluate("stage.transport.speed") == 2
    press("[")
    press("[")
    assert page.evaluate("stage.transport.speed") == 0.5
    press("Space")
    page.wait_for_function("stage.transport.position > 0.2")
    press("Space")
    assert page.evaluate("stage.transport.playing") is False
    for key in ("f", "p", "?"):
        press(key)
    assert page.evaluate("stage.called") == ["fullscreen", "presenter", "help"]


def test_the_keyboard_leaves_other_people_their_keys(visit):
    page = visit()
    press = page.keyboard.press
    page.locator("#field").focus()
    for key in ("ArrowRight", "Space", "f"):
        press(key)
    page.evaluate("document.activeElement.blur()")
    for key in ("Control+ArrowRight", "Alt+ArrowRight", "Control+f", "Meta+p"):
        press(key)
    page.evaluate("document.querySelector('main').classList.add('away')")
    press("ArrowRight")
    page.evaluate("document.querySelector('main').classList.remove('away')")
    assert position(page) == 0
    assert page.evaluate("[stage.called, stage.transport.playing]") == [[], False]
    page.locator(".vt-play").focus()
    press("Space")
    assert page.evaluate("stage.transport.playing") is True
    page.evaluate("stage.transport.pause(), stage.transport.home(), stage.unbind()")
    press("ArrowRight")
    assert position(page) == 0


def test_the_scrubber_is_a_slider_for_the_keyboard(visit):
    page = visit()
    slider = page.get_by_role("slider", name="Position")
    slider.focus()
    for key, expected in [
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("PageUp", 7),
        ("PageDown", 1),
        ("End", 64),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        assert slider.get_attribute("aria-valuenow") == str(expected)
    assert slider.get_attribute("aria-valuemax") == "64"
    assert slider.get_attribute("aria-valuetext") == "t = 1.00 (1/65)"
    assert slider.bounding_box()["height"] >= 24


def test_the_scrubber_follows_the_pointer(visit):
    page = visit("")
    page.wait_for_function("stage.transport.playing")
    box = page.locator(".vt-travel").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    assert page.locator(".vt-bubble").inner_text() == "t = 0.75"
    page.mouse.down()
    assert position(page) == pytest.approx(16, abs=0.3)
    page.mouse.move(box["x"] + box["width"] * 0.5, middle + 200)
    assert position(page) == pytest.approx(32, abs=0.3)
    assert page.evaluate("stage.transport.playing") is False
    page.mouse.up()
    assert page.evaluate("stage.transport.playing") is True


def run(page, mode, steps, start=0):
    """Positions after each tick of 100 ms, over 11 frames in one second."""
    return page.evaluate(
        """async ([mode, steps, start]) => {
          const { Transport } = await import('/static/js/transport.js');
          const clock = new Transport({ frames: 11, seconds: 1, loop: mode });
          clock.seek(start);
          clock.play();
          clock.tick(0);
          const seen = [];
          for (let i = 1; i <= steps; i++) {
            clock.tick(100 * i);
            seen.push(Math.round(100 * clock.position) / 100);
          }
          return [seen, clock.playing];
        }""",
        [mode, steps, start],
    )


def test_the_modes_end_as_they_say(visit):
    page = visit()
    once, playing = run(page, "once", 12)
    assert once == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
    assert not playing
    loop, playing = run(page, "loop", 19)
    assert loop == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, *[10] * 6, 0, 1, 2]
    assert playing
    bounce, _ = run(page, "bounce", 35)
    assert bounce[9:20] == [10, *[10] * 7, 9, 8, 7]
    assert bounce[26:] == [0, *[0] * 7, 1]
    again, _ = run(page, "once", 2, start=10)
    assert again == [1, 2]


def test_a_new_trajectory_keeps_the_share_already_seen(visit):
    page = visit()
    show(page, 16)
    page.evaluate("stage.bar.update({ ...stage.scene, frames: 129, keepPosition: true })")
    assert position(page) == 32
    page.evaluate("stage.bar.update(stage.scene)")
    assert position(page) == 0
    page.evaluate("stage.bar.update({ frames: 1, seconds: 1, loop: 'once' })")
    assert page.locator(".vt-play").is_disabled()
    assert page.locator(".vt-tick").inner_text() == "1 / 1"


def test_every_control_has_a_name_in_both_languages_and_room_for_a_finger(visit):
    page = visit(viewport={"width": 390, "height": 844})
    names = "[...document.querySelectorAll('.vt-bar [aria-label]')].map((e) => e.ariaLabel)"
    english = page.evaluate(names)
    page.evaluate("document.documentElement.lang = 'zh-CN'; stage.bar.relabel()")
    chinese = page.evaluate(names)
    assert len(english) == len(chinese) == 8
    assert all(a != b and a for a, b in zip(english, chinese, strict=True))
    for control in page.locator(".vt-bar button, .vt-scrub, .vt-grip").all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keys_are_declared_in_both_languages(visit):
    page = visit()
    keys = page.evaluate("stage.KEYS")
    assert len({entry["action"] for entry in keys}) == len(keys) == 10
    assert all(entry["en"] and entry["zh"] and entry["keys"] for entry in keys)


# Handles, picks, hover.


def events(page, name):
    return page.evaluate("name => stage.events.filter((event) => event.name === name)", name)


def test_a_dragged_handle_tells_where_it_is(visit):
    page = visit()
    page.mouse.move(*point(page, -1, -0.5))
    page.mouse.down()
    page.mouse.move(*point(page, 0.5, 1), steps=40)
    page.mouse.move(*point(page, 9, 1))
    page.mouse.up()
    moves = events(page, "drag")
    assert moves[-1]["phase"] == "end"
    assert (moves[-1]["x"], moves[-1]["y"]) == (pytest.approx(3.2), pytest.approx(1, abs=0.02))
    assert {(move["view"], move["layer"], move["index"]) for move in moves} == {
        ("left", "start", 0)
    }
    assert [move["phase"] for move in moves].count("end") == 1


def test_a_drag_tells_at_most_once_per_frame(visit):
    page = visit()
    told = page.evaluate(
        """async () => {
          const grip = document.querySelector('.vt-grip');
          const { left, top } = grip.getBoundingClientRect();
          const send = (name, by) => grip.dispatchEvent(new PointerEvent(name, {
            pointerId: 1, clientX: left + 16 + by, clientY: top + 16, button: 0, bubbles: true,
          }));
          grip.setPointerCapture = () => {};
          send('pointerdown', 0);
          for (let by = 1; by <= 50; by++) send('pointermove', by);
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const count = stage.events.length;
          send('pointerup', 50);
          return [count, stage.events.length];
        }"""
    )
    assert told == [1, 2]


def test_a_handle_moves_by_keyboard_and_leaves_the_frame_alone(visit):
    page = visit()
    page.locator(".vt-grip").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    last = events(page, "drag")[-1]
    assert (last["x"], last["y"], last["phase"]) == (
        pytest.approx(-1 + 0.064),
        pytest.approx(-0.5 + 0.64),
        "end",
    )
    assert position(page) == 0
    repaint(page)
    assert page.locator(".vt-grip").first.get_attribute("aria-label") == "start: x −0.94, y 0.14"


def test_a_handle_in_the_hand_stays_when_an_answer_arrives(visit):
    page = visit()
    page.mouse.move(*point(page, -1, -0.5))
    page.mouse.down()
    page.mouse.move(*point(page, 1, 1))
    patch = {"patch": True, "layers": [{"id": "start", "positions": [[-3, -3]]}]}
    page.evaluate("patch => stage.panels[0].player.update(patch)", patch)
    page.mouse.up()
    last = events(page, "drag")[-1]
    assert (last["x"], last["y"]) == (pytest.approx(1, abs=0.02), pytest.approx(1, abs=0.02))
    page.evaluate("patch => stage.panels[0].player.update(patch)", patch)
    repaint(page)
    assert "x −3.00" in page.locator(".vt-grip").first.get_attribute("aria-label")


def test_only_handles_keep_a_finger_from_scrolling(visit):
    page = visit()
    action = "selector => getComputedStyle(document.querySelector(selector)).touchAction"
    assert page.evaluate(action, ".vt-grip") == "none"
    assert page.evaluate(action, ".vt-canvas") == "auto"


def test_a_click_picks_a_point_only_where_the_view_asks_for_it(visit):
    page = visit()
    page.mouse.click(*point(page, 1, 2))
    assert events(page, "pick") == []
    page.mouse.click(*point(page, 1, 2, view=1))
    picked = events(page, "pick")
    assert len(picked) == 1
    assert picked[0]["view"] == "right"
    assert picked[0]["x"] == pytest.approx(1, abs=0.02)
    assert picked[0]["y"] == pytest.approx(2, abs=0.02)
    repaint(page)
    pin = page.get_by_role("button", name="Chosen point")
    assert re.fullmatch(
        r"Chosen point: x (1.00|0.99), y (2.0|1.9)\d", pin.get_attribute("aria-label")
    )


def test_the_pin_moves_by_keyboard(visit):
    page = visit()
    page.get_by_role("button", name="Chosen point").focus()
    page.keyboard.press("Shift+ArrowRight")
    picked = events(page, "pick")
    assert [(round(p["x"], 2), round(p["y"], 2)) for p in picked] == [(-1.36, 2.0)]


def test_hovering_shows_the_exact_density_in_both_views(visit):
    page = visit()
    show(page, 48)
    spot = spiral()[30] * 0.9
    page.mouse.move(*point(page, *spot))
    repaint(page)
    tips = page.locator(".vt-tip")
    shown = [tip.locator("b").nth(1).inner_text() for tip in tips.all()]
    time = np.linspace(1, 1e-3, 33)[24]
    exact = density(time, spot)
    assert shown[0] == shown[1]
    assert float(shown[0]) == pytest.approx(exact, rel=0.03)
    x, y = map(float, tips.first.locator("b").first.inner_text().replace("−", "-").split(", "))
    assert (x, y) == (pytest.approx(spot[0], abs=0.02), pytest.approx(spot[1], abs=0.02))
    page.mouse.move(5, 5)
    repaint(page)
    assert tips.first.is_hidden()
    assert tips.nth(1).is_hidden()


def test_the_particle_under_the_pointer_is_lit_in_both_views(visit):
    page = visit()
    show(page, 64)
    lone = decode(layer_of(0, "particle")["positions"])[64]
    away = np.hypot(*(lone[:, None] - lone[None]).T) + 99 * np.eye(len(lone))
    index = int(away.min(0).argmax())
    before = picture(page, 1)
    page.mouse.move(*point(page, *lone[index]))
    repaint(page)
    hover = page.evaluate("stage.ctx.shared.hover")
    assert (hover["view"], hover["index"]) == ("left", index)
    assert (picture(page, 1) != before).any(-1).mean() > 0.0005


# Words, numbers, pictures to take away.


def test_the_words_and_the_table_say_what_is_drawn(visit):
    page = visit()
    told = page.evaluate("stage.panels[0].player.describe(64)")
    cloud = decode(layer_of(0, "particle")["positions"])[64].astype(float)
    x, y = cloud.mean(0)
    assert told.startswith("Frame 65 of 65. exact density: highest ")
    assert f"400 points around ({x:.2f}, {y:.2f})".replace("-", "−") in told
    page.evaluate("document.documentElement.lang = 'zh'")
    assert page.evaluate("stage.panels[0].player.describe(64)").startswith("第 65 帧，共 65 帧。")
    table = page.evaluate("stage.panels[0].player.table(32.5)")
    assert table["columns"] == ["layer", "index", "x", "y", "dx", "dy", "value"]
    rows = np.array([row[2:4] for row in table["rows"] if row[0] == "particle"])
    middle = decode(layer_of(0, "particle")["positions"])[32:34].mean(0)
    np.testing.assert_allclose(rows, middle, atol=1e-5)
    field = np.array([row[2:4] + row[6:] for row in table["rows"] if row[0] == "density"])
    best = field[field[:, 2].argmax()]
    assert best[2] == pytest.approx(max(field[:, 2]))
    assert len(field) == 64 * 64
    assert field[0, :2].tolist() == pytest.approx([-3.2, 3.2])


def test_a_snapshot_is_opaque_and_of_the_size_asked_for(visit):
    page = visit("still&plot")
    for view in range(3):
        size, clear, colours = page.evaluate(
            """async (view) => {
              const canvas = await stage.panels[view].player.snapshot(64, 700, 500);
              const { data } = canvas.getContext('2d').getImageData(0, 0, 700, 500);
              const words = new Uint32Array(data.buffer);
              const clear = words.filter((word) => word >>> 24 !== 255).length;
              return [[canvas.width, canvas.height], clear, new Set(words).size];
            }""",
            view,
        )
        assert size == [700, 500]
        assert clear == 0
        assert colours > 20


def test_the_browser_decodes_what_python_sent(visit):
    page = visit()
    seen = page.evaluate(
        "stage.codec.decode(stage.scene.views[0].layers[1].positions).then((a) => [...a.data])"
    )
    sent = decode(layer_of(0, "particle")["positions"])
    np.testing.assert_array_equal(np.float32(seen), sent.ravel())


def test_every_icon_draws_something(visit):
    page = visit()
    empty = page.evaluate(
        """async () => {
          const { icon, names } = await import('/static/js/icons.js');
          return names.filter((name) => {
            const picture = icon(name);
            document.body.append(picture);
            const { width, height } = picture.getBBox();
            const bad = !(width > 4 || height > 4) || width > 20 || height > 20;
            picture.remove();
            return bad;
          });
        }"""
    )
    assert empty == []


# Updates.


def test_a_patch_changes_what_it_names_and_nothing_else(visit):
    page = visit()
    cloud = encode(np.full((1, 3, 2), 0.5))
    patch = {"patch": True, "id": "left", "layers": [{"id": "particle", "positions": cloud}]}
    page.evaluate("patch => stage.panels[0].player.update(patch)", patch)
    told = page.evaluate("stage.panels[0].player.describe(0)")
    assert "3 points around (0.50, 0.50)" in told
    assert "5 paths" in told


def test_the_latest_update_wins(visit):
    page = visit()
    told = page.evaluate(
        """async () => {
          const { player, view } = stage.panels[0];
          const slow = player.update(structuredClone(view));
          const quick = player.update({ ...view, layers: [] });
          await Promise.all([slow, quick]);
          return player.describe(0);
        }"""
    )
    assert told == "Frame 1 of 65."


def test_an_unknown_layer_is_refused_by_name(visit):
    page = visit()
    told = page.evaluate(
        """stage.panels[0].player.update({ ...stage.scene.views[0], layers: [{ type: 'blob' }] })
          .catch((error) => error.message)"""
    )
    assert told == "type must be one of density, points, arrows, paths, handles, got blob."


def test_destroy_leaves_the_host_empty(visit):
    page = visit("still&plot")
    page.evaluate("stage.panels.splice(0).forEach(({ player }) => player.destroy())")
    hosts = page.locator(".vt-host")
    assert [host.inner_html() for host in hosts.all()] == ["", "", ""]
    page.mouse.move(300, 200)
    assert page.evaluate("stage.ctx.shared.hover ?? null") is None


# Plots.


def test_a_plot_takes_the_palette_and_follows_the_theme(visit):
    page = visit("still&plot")
    strokes = "[...document.querySelectorAll('.scatterlayer .js-line')].map((e) => e.style.stroke)"
    assert page.evaluate(strokes) == ["rgb(0, 114, 178)", "rgb(138, 143, 153)"]
    count = page.evaluate("stage.drawn()")
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function("count => stage.drawn() > count", arg=count)
    assert page.evaluate(strokes) == ["rgb(86, 180, 233)", "rgb(125, 132, 144)"]
    assert page.locator(".modebar").count() == 0


def test_the_cursor_of_a_plot_stands_at_its_x_and_follows_a_zoom(visit):
    page = visit("still&plot")
    places = []
    for where in (0, 64, 32):
        show(page, where)
        places.append(page.locator(".vt-cursor").bounding_box()["x"])
    assert places[2] == pytest.approx((places[0] + places[1]) / 2, abs=2)
    assert places[0] > places[1] + 400
    page.evaluate(
        "Plotly.relayout(document.querySelector('.vt-plot'), { 'xaxis.range': [0.4, 0.6] })"
    )
    box = page.locator(".vt-plot .bglayer, .vt-plot .plot").first.bounding_box()
    assert page.locator(".vt-cursor").bounding_box()["x"] == pytest.approx(
        box["x"] + box["width"] / 2, abs=6
    )
    told = page.evaluate("stage.panels[2].player.describe(0)")
    mean, std = marginal(1.0)
    assert told == f"at 1: mean: {mean:.4f}; std: {std:.3f}."
    rows = page.evaluate("stage.panels[2].player.table(0).rows")
    assert rows[0] == ["mean", 1, pytest.approx(mean)]


# Contours.


def loops(page, field, level):
    height, width = field.shape
    found = page.evaluate(
        """([field, width, height, level]) =>
          stage.contours.contourLoops(Float32Array.from(field), width, height, level)
            .map((loop) => Array.from(loop))""",
        [field.ravel().tolist(), width, height, level],
    )
    return [np.array(loop).reshape(-1, 2) for loop in found]


@pytest.mark.parametrize("level", [0.05, 0.3, 0.9])
def test_contours_of_a_gaussian_are_circles(visit, level):
    """Up to the error of linear interpolation, h^2/8 |f''/f'| along the radius."""
    h, line = 0.1, np.linspace(-4, 4, 81)
    x, y = np.meshgrid(line, line)
    found = loops(visit(), np.exp(-0.5 * (x**2 + y**2)), level)
    assert len(found) == 1
    radius = np.sqrt(-2 * np.log(level))
    bound = h**2 / 8 * max(1, abs(radius**2 - 1)) / radius
    seen = np.hypot(*(found[0] * h - 4).T)
    np.testing.assert_allclose(seen, radius, atol=1.1 * bound)


def area(loop):
    """Signed area by the shoelace formula: with y downwards, positive when clockwise."""
    x, y = loop.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))


def test_contours_of_a_ring_run_round_its_rim_and_its_hole_in_opposite_ways(visit):
    line = np.linspace(-2, 2, 61)
    radius = np.hypot(*np.meshgrid(line, line))
    found = loops(visit(), np.exp(-8 * (radius - 1) ** 2), 0.5)
    rim, hole = sorted(area(loop) * (4 / 60) ** 2 for loop in found)
    width = np.sqrt(np.log(2) / 8)
    assert rim == pytest.approx(-np.pi * (1 + width) ** 2, rel=0.01)
    assert hole == pytest.approx(np.pi * (1 - width) ** 2, rel=0.01)


def test_contours_close_along_the_rim_and_part_at_saddles(visit):
    page = visit()
    full = loops(page, np.ones((3, 4)), 0.5)
    assert len(full) == 1
    assert abs(area(full[0])) == pytest.approx(6)
    assert loops(page, np.zeros((3, 4)), 0.5) == []
    apart = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert len(loops(page, apart, 0.6)) == 2
    assert len(loops(page, apart, 0.4)) == 1
