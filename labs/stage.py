"""A lab's page in Gradio: the stage, the rail, and the few events between them.

The stage itself lives in the browser (static/js/stage.js). It asks for pictures with five events:
`open` once, `set` with settings that the stage changed (or a whole link), `act` for a small
question, `job` for work that takes long, `stop` to cancel it. Controls of the rail ask by changing.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import gradio as gr

from labs.answers import answer, opened_with_defaults, query_of, settings_of_link, work
from labs.controls import Ink, Refusal, Spec, Words, defaults, from_query, specs, validate
from labs.lab import Lab, Session
from labs.scene import Json, Patch
from labs.serving import STATIC
from labs.text import Text, Translations

T = TypeVar("T")

_MOUNT = """
import(new URL('{module}', document.baseURI).href).then((stage) => stage.mount(element, {{
  props, watch,
  open: (detail) => trigger('open', detail),
  set: (detail) => trigger('set', detail),
  act: (detail) => trigger('act', detail),
  job: (detail) => trigger('job', detail),
  stop: (detail) => trigger('stop', detail),
}}));
"""
_PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_CHEAP: dict[str, Any] = {**_PRIVATE, "queue": False, "trigger_mode": "always_last"}
# Pages and the API wait in queues of their own, so that neither starves the other.
PAGE_QUEUE: dict[str, Any] = {"concurrency_id": "page", "concurrency_limit": 2}


def build(lab: Lab, words: Translations) -> None:
    """Builds the page of `lab` inside the current Gradio context."""
    with gr.Row(elem_classes="vt-lab", elem_id=f"{lab.slug}-lab"):
        with gr.Column(scale=4, min_width=320, elem_classes="vt-main"):
            stage = gr.HTML(
                html_template='<div class="vt-root"></div>',
                js_on_load=_MOUNT.format(module=f"{STATIC.prefix}/js/stage.js"),
                apply_default_css=False,
                elem_id=f"{lab.slug}-root",
                lab=_card(lab),
            )
        with gr.Column(scale=1, min_width=280, elem_classes="vt-rail"):
            controls = _rail(lab, words)
    _bind(lab, stage, controls)


def _card(lab: Lab) -> Json:
    """Returns what the stage must know of its lab before anything is computed."""
    return {
        "slug": lab.slug,
        "title": lab.title.json(),
        "idea": lab.idea.json(),
        "static": STATIC.prefix,
        "fields": {
            name: {
                "key": spec.key,
                "label": spec.label.json(),
                "when": [spec.when[0], list(spec.when[1])] if spec.when else None,
            }
            for name, spec in specs(lab.settings).items()
        },
    }


def _rail(lab: Lab, words: Translations) -> dict[str, Any]:
    """Builds the controls: those in sight, those behind "More", and the stage's own, unseen."""
    declared = specs(lab.settings)
    controls: dict[str, Any] = {}

    def add(place: str) -> None:
        for name, spec in declared.items():
            if spec.place == place:
                controls[name] = _control(lab, name, spec, words)

    add("rail")
    more = words.add("vitrine.more", Text("More", "更多"))
    with gr.Accordion(more, open=False, elem_classes="vt-more"):
        add("more")
    add("stage")
    return {name: controls[name] for name in declared}


def _control(lab: Lab, name: str, spec: Spec, words: Translations) -> Any:
    elem_id = f"{lab.slug}-{name}"
    options: dict[str, Any] = {"elem_id": elem_id}
    if spec.place == "stage":
        options["visible"] = False
    elif spec.help:
        options["info"] = words.add(f"{elem_id}.help", spec.help)
    label = words.add(elem_id, spec.label)
    control = spec.component(defaults(lab.settings)[name], label, words, **options)
    # Gradio would refuse a value without naming the setting; the declaration refuses it better.
    control.preprocess = lambda value: value
    return control


class _Handlers:
    """The callbacks of one lab's page. They bind by name: values arrive as keywords."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.names = list(specs(lab.settings))
        self.inks = {n: s for n, s in specs(lab.settings).items() if isinstance(s, Ink)}

    def open(self, session: Session, request: gr.Request) -> list[Any]:
        settings, notice = settings_of_link(self.lab, dict(request.query_params))
        shown = told(lambda: answer(self.lab, settings, session))
        if "refusal" in shown:
            notice = opened_with_defaults(Text(**shown["refusal"]))
            settings = self.lab.settings()
            shown = told(lambda: answer(self.lab, settings, session))
        if notice:
            shown["notice"] = notice.json()
        return [*self._values(settings), shown]

    def change(self, session: Session, **values: Any) -> Json:
        return told(lambda: answer(self.lab, validate(self.lab.settings, values), session))

    def set(self, event: gr.EventData, session: Session, **values: Any) -> list[Any]:
        chosen: list[Any] = [gr.skip()] * len(self.names)

        def shown() -> Json:
            nonlocal chosen
            settings = self._given(_detail(event), values)
            scene = answer(self.lab, settings, session)
            chosen = self._values(settings)
            return scene

        stage = told(shown)
        return [*chosen, stage]

    def act(self, event: gr.EventData, session: Session, **values: Any) -> Json:
        def patch() -> Json:
            asked = _detail(event)
            action = self.lab.actions.get(str(asked.pop("action", "")))
            if action is None:
                raise Refusal(Text("There is no such action.", "没有这个操作。"))
            return action.ask(validate(self.lab.settings, values), session, asked).json()

        return told(patch)

    def job(self, session: Session, **values: Any) -> Iterator[Json]:
        steps = work(self.lab, validate(self.lab.settings, values), session)
        while (step := told(lambda: next(steps, None))) is not None:
            yield step

    def _given(self, given: dict[str, Any], values: dict[str, Any]) -> Any:
        """Returns the settings that the stage asks for: a link, a picture, or changed values."""
        if "link" in given:
            return from_query(self.lab.settings, query_of(str(given["link"])))
        if "picture" in given:
            given = {name: spec.of_picture(given["picture"]) for name, spec in self.inks.items()}
        return validate(self.lab.settings, {**values, **given})

    def _values(self, settings: object) -> list[Any]:
        return [getattr(settings, name) for name in self.names]


def _bind(lab: Lab, stage: Any, controls: Mapping[str, Any]) -> None:
    """Connects the events of the stage and of the rail to the lab."""
    on = _Handlers(lab)
    session = gr.State(Session(), time_to_live=900)
    given = {"session": session, **controls}
    everything = [*controls.values(), stage]
    declared = specs(lab.settings)
    changes = [
        control.submit if isinstance(declared[name], Words) else control.input
        for name, control in controls.items()
        if declared[name].place != "stage"
    ]
    stage.open(on.open, session, everything, **_CHEAP)
    gr.on(changes, on.change, None, stage, inputs_kwargs=given, **_CHEAP)
    stage.set(on.set, None, everything, inputs_kwargs=given, **_CHEAP)
    stage.act(on.act, None, stage, inputs_kwargs=given, **_CHEAP)
    job = stage.job(
        on.job, None, stage, inputs_kwargs=given, trigger_mode="multiple", **PAGE_QUEUE, **_PRIVATE
    )
    stage.stop(None, cancels=[job], **_PRIVATE)


def _detail(event: gr.EventData) -> dict[str, Any]:
    """Returns what the stage sent along with an event."""
    if not isinstance(event._data, dict):
        raise Refusal(Text("The event must carry an object.", "事件必须携带一个对象。"))
    return dict(event._data)


def told(make: Callable[[], T]) -> T | Json:
    """Returns what `make` returns, or a patch that says in both languages why there is nothing.

    The stage shows the sentence and keeps its picture. A mistake of ours is logged, and said too.
    """
    try:
        return make()
    except Refusal as refusal:
        sentence = refusal.text
    except Exception:
        logging.getLogger(__name__).exception("a lab failed")
        sentence = Text(
            "This could not be computed: an error of the program, not yours.",
            "无法计算：这是程序的错误，不是您的。",
        )
    return {**Patch().json(), "refusal": sentence.json()}
