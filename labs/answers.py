"""What a lab answers: from settings to the JSON of a scene, at once or as a job.

Every way into a lab (a control, a link, the stage, the API) ends in `answer` or `work`, so what is
on screen and what the API returns are the same object.
"""

import time
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from labs.controls import Refusal, Spec, defaults, from_query, specs, to_query
from labs.lab import Lab, Session, drain
from labs.scene import Json, Patch, Scene
from labs.text import Text

DEADLINE_SECONDS = 180.0


def answer(lab: Lab, settings: object, session: Session) -> Json:
    """Answers at once: the scene, or where that takes long, a patch that names the job to ask for.

    Args:
        settings: An instance of `lab.settings`.
        session: What the asking page keeps; its running job, if any, ends.
    """
    session.generation += 1
    if not lab.light(settings, session):
        return {**Patch().json(), **_where(lab, settings), "job": "run"}
    return picture(lab, settings, lab.scene(settings, drain(lab.run(settings, session))))


def work(lab: Lab, settings: object, session: Session) -> Iterator[Json]:
    """Does the whole work step by step: patches and pictures on the way, then the scene.

    Ends early, without a scene, when a newer run of the same session has replaced it.

    Raises:
        Refusal: If it takes longer than the deadline.
    """
    session.generation += 1
    mine, deadline = session.generation, time.monotonic() + DEADLINE_SECONDS
    steps = lab.run(settings, session)
    while session.generation == mine:
        try:
            patch = next(steps)
        except StopIteration as stop:
            yield picture(lab, settings, lab.scene(settings, stop.value))
            return
        if time.monotonic() > deadline:
            seconds = f"{DEADLINE_SECONDS:g}"
            raise Refusal(
                Text(
                    f"The work took longer than {seconds} s and was stopped.",
                    f"计算超过 {seconds} 秒，已停止。",
                )
            )
        if isinstance(patch, Patch):
            yield patch.json()
        else:
            yield {**picture(lab, settings, lab.scene(settings, patch)), "partial": True}


def picture(lab: Lab, settings: object, scene: Scene) -> Json:
    """Returns the scene's JSON together with where it came from."""
    return {**scene.json(), **_where(lab, settings)}


def _where(lab: Lab, settings: object) -> Json:
    query = to_query(settings)
    return {
        "lab": lab.slug,
        "link": f"lab={lab.slug}" + (f"&{query}" if query else ""),
        "settings": {name: getattr(settings, name) for name in specs(settings)},
    }


def settings_of_link(lab: Lab, query: Mapping[str, str]) -> tuple[object, Text | None]:
    """Reads a page's query into settings for `lab`.

    A broken link must still open: it shows the defaults and says what was wrong.

    Returns:
        The settings, and the sentence to show or None. A link to another lab gives the defaults.
    """
    if query.get("lab") != lab.slug:
        return lab.settings(), None
    try:
        return from_query(lab.settings, query), None
    except Refusal as refusal:
        return lab.settings(), opened_with_defaults(refusal.text)


def opened_with_defaults(reason: Text) -> Text:
    """Returns what to say of a link that could not be followed."""
    return Text(
        f"{reason.en} The link was opened with the default settings.",
        f"{reason.zh}已用默认设置打开此链接。",
    )


def query_of(link: str) -> dict[str, str]:
    """Returns the pairs of a query such as "steps=50&data=moons".

    Raises:
        Refusal: If it has more than 8,000 characters or 100 fields.
    """
    if len(link) > 8000 or link.count("&") >= 100:
        raise Refusal(Text("The link is too long.", "链接太长。"))
    return dict(parse_qsl(link, keep_blank_values=True))


def describe(lab: Lab) -> str:
    """Returns the API's description of `lab`: each setting with its bounds and default."""
    lines = [f"{lab.title.en}: {lab.idea.en} Returns the scene on the stage as JSON.", ""]
    lines += _rules(specs(lab.settings), defaults(lab.settings))
    return "\n".join(lines)


def describe_action(lab: Lab, name: str) -> str:
    """Returns the API's description of one action of `lab`."""
    action = lab.actions[name]
    settings = _rules(specs(lab.settings), defaults(lab.settings))
    return "\n".join([action.help, "", *_rules(action.inputs, {}), *settings])


def _rules(declared: Mapping[str, Spec], default: Mapping[str, object]) -> list[str]:
    return [
        f"- {name}: {spec.bounds()}"
        + (f"; default {default[name]!r}" if name in default else "")
        + (f". {spec.help.en}" if spec.help else "")
        for name, spec in declared.items()
    ]
