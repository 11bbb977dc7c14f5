"""The app as its users meet it: one page in a real Chromium, every control moved once."""

import pytest

from labs import LABS
from labs.controls import Choice, specs

pytestmark = pytest.mark.browser
READY = ".vt-stages.vt-ready"


@pytest.fixture
def visit(watched, address):
    def open_page(query="", **options):
        page = watched(**options)
        page.goto(address + query)
        page.locator(READY).locator("visible=true").first.wait_for()
        return page

    return open_page


def pixels(page, view="left"):
    """The canvas of a view, as a string that differs when the picture differs."""
    return page.eval_on_selector(
        f'[data-view="{view}"] canvas', "canvas => canvas.toDataURL('image/webp', 0.3)"
    )


def repainted(page, old, view="left"):
    """Waits until a view's canvas differs from `old`."""
    page.wait_for_function(
        """([old, view]) => document.querySelector(`[data-view="${view}"] canvas`)
        .toDataURL('image/webp', 0.3) !== old""",
        arg=[old, view],
    )


def position(page):
    return float(page.get_attribute("[role=slider].vt-scrub", "aria-valuenow"))


def choose(page, lab, field, value):
    page.locator(f'#{lab}-{field} input[value="{value}"]').click(force=True)


def settled(page, link):
    """Waits until the address carries `link` and nothing is being computed."""
    page.wait_for_function("link => location.search.includes(link)", arg=link)
    page.wait_for_selector(".vt-progress", state="hidden", timeout=60_000)


def test_the_default_moves_by_itself(visit):
    page = visit()
    before = pixels(page)
    repainted(page, before, "left")
    assert page.locator(".vt-badge").get_attribute("class") == "vt-badge"


def test_space_stops_it_and_the_arrow_steps_it(visit):
    page = visit()
    page.keyboard.press("Space")
    page.wait_for_selector(".vt-play[aria-label^=Play]")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    before, picture = position(page), pixels(page, "right")
    page.keyboard.press("ArrowRight")
    repainted(page, picture, "right")
    assert position(page) == before + 1


def test_a_chip_changes_the_picture_the_numbers_and_the_address(visit):
    page = visit()
    numbers = page.locator(".vt-readouts").inner_text()
    choose(page, "sde", "sampler", "heun")
    settled(page, "sampler=heun")
    page.wait_for_function(
        "old => document.querySelector('.vt-readouts').innerText !== old", arg=numbers
    )
    assert "200" in page.locator(".vt-readouts").inner_text()


def test_every_control_can_be_moved_once(visit):
    page = visit("?n=100&steps=5&lab=sde")
    page.locator(".vt-more .label-wrap").click()
    for name, spec in specs(LABS[0].settings).items():
        block = page.locator(f"#sde-{name}")
        if (
            spec.place == "stage"
            or spec.when
            or not block.is_visible()
            or name in {"show", "score"}
        ):
            continue
        if isinstance(spec, Choice):
            value = list(spec.options)[1]
            choose(page, "sde", name, value)
            settled(page, f"{spec.key}={value}")
        else:
            page.locator(f"#sde-{name} input[type=number]").fill(str(int(spec.minimum) + 100))
            settled(page, f"{spec.key}={int(spec.minimum) + 100}")


def test_the_logarithmic_slider_answers_to_the_keyboard(visit):
    page = visit()
    track = page.locator("#sde-steps .vt-log-track")
    track.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => /steps=\\d+/.test(location.search)")
    assert page.locator("#sde-steps input[type=number]").input_value() != "100"


def test_an_address_opens_what_it_says_and_hides_what_it_says(visit):
    page = visit("?lab=sde&show=ode&steps=20&process=ve&hide=data,score")
    settled(page, "steps=20")
    assert page.locator("#sde-steps input[type=number]").input_value() == "20"
    assert page.locator('#sde-show input[value="ode"]').is_checked()
    assert not page.locator("#sde-data").is_visible()
    assert "hide=data" in page.url
    assert page.locator('[data-view="right"]').inner_text().startswith("Probability-flow ODE")


def test_a_broken_address_opens_with_a_sentence(visit):
    page = visit("?lab=sde&steps=99999&process=%3Cscript%3E")
    notice = page.locator(".vt-notice").inner_text()
    assert "must be" in notice
    assert "default settings" in notice
    assert pixels(page)


def test_language_switches_live_and_is_remembered(visit):
    page = visit()
    page.get_by_role("button", name="Switch to Chinese").click()
    page.wait_for_function(
        "() => document.querySelector('.vt-head h1').textContent === '前向与逆向'"
    )
    page.wait_for_function("() => document.querySelector('#sde-data').innerText.includes('螺旋')")
    page.wait_for_function(
        "() => /[\\u4e00-\\u9fff]/.test(document.querySelector('.vt-prose').textContent)"
    )
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_function(
        "() => document.querySelector('.vt-head h1').textContent === '前向与逆向'"
    )


def test_the_theme_switches_and_repaints(visit):
    page = visit()
    page.keyboard.press("Space")
    light = pixels(page)
    page.get_by_role("button", name="Light or dark").click()
    repainted(page, light, "left")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"


def test_help_lists_the_keys_and_presenter_mode_leaves_the_stage_alone(visit):
    page = visit()
    page.keyboard.press("?")
    assert page.locator("dialog.vt-help tr").count() >= 8
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    page.wait_for_selector(".vt-rail", state="hidden")
    assert page.locator(".vt-stages").is_visible()
    page.keyboard.press("p")
    page.wait_for_selector(".vt-rail", state="visible")


def test_the_folds_show_prose_formulas_source_and_cards(visit):
    page = visit()
    fold = page.locator(".vt-fold-body")
    page.wait_for_selector(".vt-prose")
    page.get_by_role("tab", name="Maths").click()
    page.wait_for_selector(".vt-fold-body .katex")
    page.get_by_role("tab", name="Code").click()
    page.wait_for_selector(".vt-lit")
    assert "def step" in fold.inner_text()
    page.get_by_role("tab", name="Try this").click()
    page.get_by_role("button", name="Show me").click()
    page.get_by_role("button", name="Show the answer").click()
    assert page.locator(".vt-question .vt-prose").nth(1).is_visible()


def test_a_click_asks_for_the_likelihood_of_the_point(visit):
    page = visit()
    page.locator('[data-view="left"] canvas').click(position={"x": 150, "y": 300})
    page.wait_for_function(
        "() => location.search.includes('qx=') && location.search.includes('qy=')"
    )


def test_dragging_the_particle_moves_its_road_before_it_is_let_go(visit):
    page = visit("?lab=sde&show=ode&steps=20&n=200")
    settled(page, "steps=20")
    page.keyboard.press("Space")
    picture = pixels(page, "left")
    grip = page.locator('[data-view="right"] .vt-grip').first
    box = grip.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 80, steps=6)
    repainted(page, picture, "left")
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('px=')")


def test_painting_changes_the_density(visit):
    page = visit("?lab=sde&n=200&steps=20")
    choose(page, "sde", "data", "paint")
    page.wait_for_selector(".vt-paint-overlay canvas")
    box = page.locator(".vt-paint-overlay canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=8)
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('ink=')")
    page.get_by_role("button", name="Done").click()
    page.wait_for_selector(".vt-paint-overlay", state="hidden")


def test_two_visitors_do_not_see_each_other(visit):
    first, second = visit("?lab=sde&n=200"), visit("?lab=sde&n=200")
    choose(first, "sde", "process", "ve")
    settled(first, "process=ve")
    choose(second, "sde", "sampler", "ddim")
    settled(second, "sampler=ddim")
    assert "process" not in second.url
    assert "sampler" not in first.url


def test_training_shows_progress_and_can_be_cancelled(visit):
    page = visit("?lab=sde&n=200&steps=20&training=3000")
    choose(page, "sde", "score", "learned")
    page.wait_for_function(
        "() => /Training/.test(document.querySelector('.vt-progress').innerText)"
    )
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector(".vt-progress", state="hidden")
    assert "Cancelled" in page.locator(".vt-notice").inner_text()
    choose(page, "sde", "score", "exact")
    settled(page, "training=3000")
    assert pixels(page)


@pytest.mark.parametrize("width", [390, 768])
def test_a_narrow_page_scrolls_only_down(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_reduced_motion_waits_for_the_viewer(visit):
    page = visit(reduced_motion="reduce")
    page.wait_for_selector(".vt-play[aria-label^=Play]")


def test_the_text_alternative_follows_the_step(visit):
    page = visit()
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    page.wait_for_function(
        "() => document.querySelector('.vt-alternative').textContent.includes('100 / 100')"
    )
    page.keyboard.press("End")
    page.wait_for_function(
        "() => document.querySelector('.vt-alternative').textContent.includes('step: 0 / 100')"
    )


def test_a_refusal_is_said_and_the_last_picture_stays(visit):
    page = visit("?lab=sde&n=200")
    page.keyboard.press("Space")
    page.wait_for_selector(".vt-play[aria-label^=Play]")
    numbers = page.locator(".vt-readouts").inner_text()
    page.locator("#sde-steps input[type=number]").fill("4")
    page.get_by_text("steps must be between 5 and 1000, got 4.").first.wait_for()
    page.wrong.clear()
    assert page.locator(".vt-readouts").inner_text() == numbers


def test_the_tiles_move_and_a_clicked_row_is_in_the_address(visit):
    page = visit("?lab=flash_attention")
    page.wait_for_selector(f"#flash_attention-root {READY}")
    stage = "#flash_attention-root [data-view=left] canvas"
    before = page.eval_on_selector(stage, "canvas => canvas.toDataURL()")
    page.wait_for_function(
        "([stage, old]) => document.querySelector(stage).toDataURL() !== old", arg=[stage, before]
    )
    page.locator(stage).click(position={"x": 150, "y": 150})
    page.wait_for_function("() => /row=\\d+/.test(location.search)")
    page.get_by_role("tab", name="Code").locator("visible=true").click()
    page.wait_for_selector("#flash_attention-root .vt-lit")


def test_both_labs_survive_a_switch_of_tabs(visit):
    page = visit()
    page.get_by_role("tab", name="FlashAttention").click()
    page.wait_for_selector(f"#flash_attention-root {READY}")
    page.wait_for_function("() => location.search.includes('lab=flash_attention')")
    page.get_by_role("tab", name="SDE", exact=True).click()
    page.wait_for_function("() => location.search.includes('lab=sde')")
    repainted(page, pixels(page))
