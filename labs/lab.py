"""A lab: one concept, its settings, what it computes and what it shows."""

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from labs.controls import Spec
from labs.scene import Patch, Scene
from labs.text import Text

T = TypeVar("T")


class Paper(NamedTuple):
    """A paper behind a lab."""

    authors: str
    year: int
    title: str
    url: str


class Session:
    """What one open page keeps on the server: a few results that are dear to compute again.

    Sessions share nothing. Each keeps at most `capacity` results, the least recently used goes
    first, and `generation` counts its runs, so that a job notices when a newer one replaced it.
    """

    capacity = 6

    def __init__(self) -> None:
        self.generation = 0
        self._results: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any | None:
        """Returns what is kept under `key`, or None."""
        if key in self._results:
            self._results.move_to_end(key)
        return self._results.get(key)

    def keep(self, key: Hashable, value: T) -> T:
        """Keeps `value` under `key` and returns it."""
        self._results[key] = value
        self._results.move_to_end(key)
        while len(self._results) > self.capacity:
            self._results.popitem(last=False)
        return value


@dataclass(frozen=True)
class Action:
    """A small question that the stage asks while it plays (a dragged point, say).

    Attributes:
        answer: Called with (settings, session, **values); returns the patch to apply.
        inputs: What it takes, declared like settings.
        help: What it answers, for the API's description.
    """

    answer: Callable[..., Patch]
    inputs: Mapping[str, Spec]
    help: str

    def ask(self, settings: object, session: Session, asked: Mapping[str, object]) -> Patch:
        """Validates what was asked by the declared inputs and answers it.

        Raises:
            Refusal: If an input is missing or breaks its rule.
        """
        given = {name: spec.parse(name, asked.get(name)) for name, spec in self.inputs.items()}
        return self.answer(settings, session, **given)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One concept in one tab.

    Attributes:
        slug: Its name everywhere: core package, module, texts, URL, endpoint.
        tab: Its name on the tab.
        title: The headline over the stage.
        idea: One sentence beside the headline.
        papers: What it teaches, at the source.
        settings: A frozen dataclass of `labs.controls.setting` fields.
        run: Computes (settings, session) step by step: yields patches, or results so far that
            are worth a picture, and returns the result.
        scene: Draws (settings, result); pure.
        light: Whether (settings, session) is answered within about 150 ms.
        actions: Small questions of the stage, by name.
        code: What the Code fold can show, by qualified name.
    """

    slug: str
    tab: Text
    title: Text
    idea: Text
    papers: tuple[Paper, ...]
    settings: type
    run: Callable[[Any, Session], Generator[Any, None, Any]]
    scene: Callable[[Any, Any], Scene]
    light: Callable[[Any, Session], bool] = lambda settings, session: True
    actions: Mapping[str, Action] = field(default_factory=dict)
    code: tuple[Callable[..., Any], ...] = ()


def drain(steps: Generator[Any, None, Any]) -> Any:
    """Runs a lab's computation to its end and returns its result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
