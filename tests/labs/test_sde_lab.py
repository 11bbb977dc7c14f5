"""The SDE lab: what it shows is what core computes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.sde import VE, VP, Trajectory
from labs.codec import decode
from labs.controls import Refusal
from labs.lab import Session, drain
from labs.sde import LAB
from labs.sde.compute import plans
from labs.sde.picture import dragged, frame_times, on_frames
from labs.sde.results import stage_scale
from labs.sde.settings import SHOW, Settings, curve_values, density_of, process_of, sampler_of

SMALL = {"particles": 100, "steps": 10}


def picture(**values):
    settings = Settings(**SMALL | values)
    return LAB.scene(settings, drain(LAB.run(settings, Session()))).json()


def layer(scene, view, name):
    found = next(v for v in scene["views"] if v["id"] == view)
    return next(item for item in found["layers"] if item["id"] == name)


@pytest.mark.parametrize("show", [show for show in SHOW if show not in {"score", "distance"}])
@pytest.mark.parametrize("process", ["vp", "ve", "subvp"])
def test_every_pair_of_stages_is_drawn_and_passes_its_check(show, process):
    if show == "discrete" and process != "vp":
        with pytest.raises(Refusal, match="ddpm needs the process vp"):
            picture(show=show, process=process)
        return
    scene = picture(show=show, process=process)
    assert [view["kind"] for view in scene["views"]] == ["particles", "particles"]
    assert scene["badge"]["ok"], scene["badge"]


@pytest.mark.parametrize("sampler", ["em", "pc", "heun", "rk45", "ddim", "dpm", "ddpm"])
def test_the_snippet_reproduces_the_samples_on_the_stage(sampler):
    settings = Settings(**SMALL, sampler=sampler, show="ode" if sampler == "heun" else "both")
    scene = LAB.scene(settings, drain(LAB.run(settings, Session()))).json()
    names: dict = {}
    exec(scene["python"], names)
    shown = decode(layer(scene, "right", "cloud")["positions"])
    last = shown[0] if settings.show == "both" else shown[-1]
    np.testing.assert_allclose(last, names["trajectory"].positions[-1], atol=5e-3)


def test_a_learned_score_improves_while_it_trains_and_is_kept_for_the_session():
    settings = Settings(**SMALL, show="score", training=200)
    session = Session()
    assert not LAB.light(settings, session)
    early = drain(LAB.run(replace(settings, training=20), session)).learned
    late = drain(LAB.run(settings, session)).learned
    for before, after in zip(early.errors[2:5], late.errors[2:5], strict=True):
        assert after.rms < before.rms
    assert LAB.light(settings, session)
    assert not LAB.light(settings, Session())


def test_the_distance_plot_measures_every_sampler_and_knows_its_floor():
    settings = Settings(**SMALL, show="distance", data="eight_gaussians")
    session = Session()
    scene = LAB.scene(settings, drain(LAB.run(settings, session))).json()
    lines = {line["name"]["en"]: line for line in scene["views"][1]["figure"]["data"]}
    assert len(lines["Euler–Maruyama"]["x"]) == 7
    assert lines["Euler–Maruyama"]["y"][0] > 2 * lines["Euler–Maruyama"]["y"][-1]
    assert lines["DPM-Solver++"]["y"][0] < lines["DDIM"]["y"][0]
    assert LAB.light(settings, session)


def test_dragging_moves_only_the_held_particle_from_where_it_is_held():
    settings = Settings(**SMALL, show="ode")
    patch = dragged(settings, Session(), 0.5, -0.25).json()
    assert [view["id"] for view in patch["views"]] == ["left", "right"]
    for view in patch["views"]:
        (item,) = view["layers"]
        np.testing.assert_allclose(decode(item["positions"])[0, 0], [0.5, -0.25], atol=1 / 256)
    again = LAB.scene(
        settings,
        drain(LAB.run(Settings(**SMALL, show="ode", start_x=0.5, start_y=-0.25), Session())),
    ).json()
    for view in ("left", "right"):
        shown = next(v for v in patch["views"] if v["id"] == view)["layers"][0]
        assert shown["positions"] == layer(again, view, "particle")["positions"]


def test_frames_of_the_linked_pair_run_from_data_to_noise_denser_near_the_data():
    times = frame_times(Settings())
    assert times[0] == pytest.approx(1e-3)
    assert times[-1] == 1
    assert (times.diff().diff() > 0).all()
    assert torch.equal(frame_times(Settings(show="ode")), times.flip(0))


def test_the_step_on_show_is_the_sampler_s_own():
    for sampler in ("em", "dpm", "rk45"):
        scene = picture(show="samplers", sampler=sampler, other="ddim")
        steps = next(item for item in scene["readouts"] if item["id"] == "step")["values"]
        assert steps[0] == "0 / 10"
        assert steps[-1] == "10 / 10"
        assert [int(step.split()[0]) for step in steps] == sorted(int(s.split()[0]) for s in steps)


def test_positions_on_frames_are_linear_between_steps():
    road = Trajectory(
        torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64),
        torch.tensor([[[0.0, 0.0]], [[2.0, 4.0]], [[2.0, 0.0]]]),
        2,
    )
    times = torch.tensor([1.0, 0.75, 0.5, 0.25], dtype=torch.float64)
    places = on_frames(road, times, torch.ones(4, dtype=torch.float64))
    np.testing.assert_allclose(places[:, 0], [[0, 0], [1, 2], [2, 4], [2, 2]])


def test_a_stage_unit_is_the_spread_of_the_process():
    one = torch.tensor(1.0, dtype=torch.float64)
    assert float(stage_scale(VP(), one)) == pytest.approx(1.0)
    assert float(stage_scale(VE(), one)) == pytest.approx(50.0, rel=1e-3)


def test_a_drawn_schedule_is_the_one_in_use():
    settings = Settings(schedule="drawn", curve="z" * 16)
    assert float(process_of(settings).schedule.integral(1.0)) == pytest.approx(20.0)
    with pytest.raises(Refusal, match="curve must have 16 points, got 3"):
        curve_values("abc")


def test_a_point_too_stiff_for_the_ode_still_gives_a_picture():
    scene = picture(data="paint", point_x=0.0, point_y=0.0)
    assert scene["badge"] is None
    log_p = next(item for item in scene["readouts"] if item["id"] == "log_p")
    assert log_p["values"].endswith("· – · –")


def test_data_that_cannot_be_made_are_refused_with_the_reason():
    blank = "1" + "7cEBDQAAAMKg909tDwcUAAAAfBgA"
    with pytest.raises(Refusal):
        density_of(Settings(data="paint", ink=blank))
    with pytest.raises(Refusal):
        density_of(Settings(data="word", word="😀"))


def test_plans_keep_the_noisy_sampler_left_and_the_ode_right():
    for sampler in ("em", "heun"):
        left, right = plans(Settings(show="ode", sampler=sampler))
        assert left.sampler.stochastic
        assert not right.sampler.stochastic
    assert sampler_of(Settings(sampler="ddim", eta=0.5)).eta == 0.5


def test_payload_of_the_default_stays_below_a_megabyte():
    import json

    settings = Settings()
    scene = LAB.scene(settings, drain(LAB.run(settings, Session()))).json()
    assert len(json.dumps(scene)) < 1_000_000
    assert not any(math.isnan(t) for t in scene["ticks"]["values"])
