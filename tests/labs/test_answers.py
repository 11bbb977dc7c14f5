"""Answering: links, jobs that end early, the deadline, and what a session keeps."""

from dataclasses import dataclass

import pytest

from labs import LABS, answers
from labs.answers import answer, describe, query_of, settings_of_link, work
from labs.controls import Integer, Refusal, setting, specs
from labs.lab import Action, Lab, Session
from labs.scene import Patch, Scene
from labs.text import Text

WORD = Text("Steps", "步数")


@dataclass(frozen=True)
class Settings:
    steps: int = setting(3, Integer(label=WORD, key="s", minimum=1, maximum=9))


def counting(settings, session):
    for step in range(settings.steps):
        yield Patch(progress=step / settings.steps)
    return settings.steps


def adding(settings, session, n):
    return Patch(progress=float(settings.steps + n))


def lab(light=True):
    return Lab(
        slug="count", tab=WORD, title=WORD, idea=WORD, papers=(), settings=Settings, run=counting,
        scene=lambda settings, result: Scene(views=(), frames=result),
        light=lambda settings, session: light,
        actions={"add": Action(adding, {"n": specs(Settings)["steps"]}, "Adds.")},
    )  # fmt: skip


def test_a_light_answer_is_the_scene_and_says_where_it_came_from():
    shown = answer(lab(), Settings(5), Session())
    assert (shown["frames"], shown["link"], shown["settings"]) == (5, "lab=count&s=5", {"steps": 5})


def test_a_heavy_answer_only_asks_for_the_job():
    shown = answer(lab(light=False), Settings(5), Session())
    assert (shown["patch"], shown["job"], shown["link"]) == (True, "run", "lab=count&s=5")


def test_a_job_yields_its_progress_then_the_scene_that_the_light_answer_gives():
    *patches, scene = work(lab(), Settings(4), Session())
    assert [patch["progress"] for patch in patches] == [0, 0.25, 0.5, 0.75]
    same = answer(lab(), Settings(4), Session())
    assert {k: v for k, v in scene.items() if k != "id"} == {
        k: v for k, v in same.items() if k != "id"
    }


def test_a_job_ends_without_a_scene_when_its_session_runs_something_newer():
    session = Session()
    job = work(lab(), Settings(9), session)
    next(job)
    answer(lab(), Settings(1), session)
    assert [step for step in job if not step.get("patch")] == []


def test_a_job_past_its_deadline_is_stopped_with_a_sentence(monkeypatch):
    monkeypatch.setattr(answers, "DEADLINE_SECONDS", -1.0)
    with pytest.raises(Refusal, match="took longer than"):
        list(work(lab(), Settings(), Session()))


def test_a_broken_link_opens_with_the_defaults_and_says_why():
    settings, notice = settings_of_link(lab(), {"lab": "count", "s": "99"})
    assert settings == Settings()
    assert notice.en.startswith("steps must be between 1 and 9, got '99'.")
    assert settings_of_link(lab(), {"lab": "other", "s": "99"}) == (Settings(), None)


def test_a_link_is_bounded():
    assert query_of("a=1&b=") == {"a": "1", "b": ""}
    for link in ("a=" + "x" * 100_000, "&".join("a=1" for _ in range(1000))):
        with pytest.raises(Refusal, match="too long"):
            query_of(link)


def test_an_action_refuses_what_its_inputs_refuse():
    with pytest.raises(Refusal, match="n must be a number, got None"):
        lab().actions["add"].ask(Settings(), Session(), {})


def test_a_session_keeps_a_few_results_and_forgets_the_oldest():
    session = Session()
    for number in range(10):
        session.keep(number, str(number))
        session.get(8)
    assert [session.get(number) for number in (0, 8, 9)] == [None, "8", "9"]
    assert Session().get(9) is None


@pytest.mark.parametrize("any_lab", LABS, ids=lambda lab: lab.slug)
def test_the_description_states_every_setting_with_its_bounds(any_lab):
    text = describe(any_lab)
    for name, spec in specs(any_lab.settings).items():
        assert f"- {name}: {spec.bounds()}; default" in text
