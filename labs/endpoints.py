"""The public API: one named endpoint per lab and per action, with the bounds in its description."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_type_hints

import gradio as gr

from labs.answers import describe, describe_action, work
from labs.controls import Refusal, defaults, specs, validate
from labs.lab import Lab, Session
from labs.scene import Json

API_QUEUE: dict[str, Any] = {"concurrency_id": "api", "concurrency_limit": 1}


def publish(lab: Lab) -> None:
    """Adds the endpoints of `lab` to the Gradio app being built: `/sde`, `/sde_particle`, ..."""
    hints = get_type_hints(lab.settings)
    given = defaults(lab.settings)
    parameters = [_parameter(name, hints[name], given[name]) for name in specs(lab.settings)]

    def run(*args: Any) -> Iterator[Json]:
        with spoken():
            values = dict(zip(given, args, strict=True))
            yield from work(lab, validate(lab.settings, values), Session())

    gr.api(_typed(run, parameters), api_name=lab.slug, api_description=describe(lab), **API_QUEUE)
    for name in lab.actions:
        _publish_action(lab, name, parameters)


def _publish_action(lab: Lab, name: str, parameters: list[inspect.Parameter]) -> None:
    action = lab.actions[name]
    required = inspect.Parameter.empty
    own = [_parameter(field, spec.kind, required) for field, spec in action.inputs.items()]

    def ask(*args: Any) -> Json:
        with spoken():
            asked = dict(zip(action.inputs, args[: len(own)], strict=True))
            values = dict(zip(defaults(lab.settings), args[len(own) :], strict=True))
            return action.ask(validate(lab.settings, values), Session(), asked).json()

    gr.api(
        _typed(ask, own + parameters),
        api_name=f"{lab.slug}_{name}",
        api_description=describe_action(lab, name),
        **API_QUEUE,
    )


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, place, default=default, annotation=kind)


def _typed(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """Gives `function` the signature from which Gradio derives the endpoint's schema."""
    function.__signature__ = inspect.Signature(parameters, return_annotation=dict)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": dict}
    return function


@contextmanager
def spoken() -> Iterator[None]:
    """Turns a refusal into the sentence that the API answers with."""
    try:
        yield
    except Refusal as refusal:
        raise gr.Error(refusal.text.en, print_exception=False) from refusal
