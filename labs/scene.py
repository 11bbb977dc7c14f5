"""What a lab puts on its stage: plain descriptions that the players in static/js draw.

A lab's `scene(settings, result)` builds a `Scene` of views, readouts and a badge; `Scene.json()` is
both what the page shows and what the API returns. `Patch` updates parts of a scene on the page
while a job runs or a handle is dragged.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from labs.codec import encode
from labs.text import Text

EMPTY = Text("", "")
Role = Literal["data", "noise", "model", "truth", "cond", "warn", "ink"]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One thing drawn in a view of particles.

    Attributes:
        id: Its name within the view, by which a patch finds it.
        label: What it is, for the legend and the text alternative.
        role: What its colour means.
    """

    id: str
    label: Text
    role: Role

    def json(self) -> Json:
        """Returns the layer as the player reads it."""
        return {"id": self.id, "label": self.label.json(), "role": self.role}


@dataclass(frozen=True, kw_only=True)
class Density(Layer):
    """A density, as contour bands or heat.

    Attributes:
        values: Shape (K, H, W), at K keyframes spread evenly over the frames; row 0 is y = y_max.
        style: How it is drawn.
        common: Whether all keyframes share one scale; else each is scaled to its own peak.
    """

    values: ArrayLike
    style: Literal["contours", "heat"] = "contours"
    common: bool = False

    def json(self) -> Json:
        values = np.asarray(self.values, dtype=np.float32)
        peak = np.maximum(values.max(axis=(1, 2)), 1e-12)
        if self.common:
            peak = np.full_like(peak, peak.max())
        coded = encode(values / peak[:, None, None], quantise="uint8")
        return {
            **super().json(),
            "type": "density",
            "values": coded,
            "peak": [float(f"{p:.6g}") for p in peak],
            "style": self.style,
        }


_PLACES_PER_UNIT = 256


def _places(positions: ArrayLike) -> Json:
    """Packs moving positions, rounded to 1/256 of a stage unit: a seventh of a pixel off at most.

    Farther out than 60 units, where no stage reaches, they are clipped.
    """
    steps = np.rint(np.clip(np.asarray(positions), -60, 60) * _PLACES_PER_UNIT)
    return {**encode(steps.astype(np.int16), delta=True), "scale": 1 / _PLACES_PER_UNIT}


@dataclass(frozen=True, kw_only=True)
class Points(Layer):
    """A moving cloud.

    Attributes:
        positions: Shape (K, N, 2), stage units, at K keyframes spread evenly over the frames.
        from_role: The colour it blends from, where `mix` is 1.
        mix: Shape (K,), in [0, 1].
        radius: CSS pixels.
    """

    positions: ArrayLike
    from_role: Role | None = None
    mix: Sequence[float] | None = None
    radius: float = 1.6

    def json(self) -> Json:
        more: Json = {"type": "points", "positions": _places(self.positions), "radius": self.radius}
        if self.from_role is not None and self.mix is not None:
            more |= {"from_role": self.from_role, "mix": [round(float(m), 4) for m in self.mix]}
        return {**super().json(), **more}


@dataclass(frozen=True, kw_only=True)
class Arrows(Layer):
    """A vector field: anchors of shape (G, 2) and vectors of shape (K, G, 2), in stage units."""

    anchors: ArrayLike
    vectors: ArrayLike

    def json(self) -> Json:
        return {
            **super().json(),
            "type": "arrows",
            "anchors": encode(np.asarray(self.anchors), quantise="int16"),
            "vectors": encode(np.asarray(self.vectors), quantise="int16", delta=True),
        }


@dataclass(frozen=True, kw_only=True)
class Paths(Layer):
    """Polylines followed by the cursor of time: positions of shape (K, M, 2), stage units."""

    positions: ArrayLike

    def json(self) -> Json:
        return {**super().json(), "type": "paths", "positions": _places(self.positions)}


@dataclass(frozen=True, kw_only=True)
class Handles(Layer):
    """Dots that the viewer drags: positions of shape (M, 2), stage units."""

    positions: ArrayLike

    def json(self) -> Json:
        positions = np.asarray(self.positions, dtype=float).round(4).tolist()
        return {**super().json(), "type": "handles", "positions": positions}


@dataclass(frozen=True, kw_only=True)
class View:
    """One panel of the stage.

    Attributes:
        id: Its name within the scene.
        title: What it shows.
        note: A short remark at its upper right corner.
    """

    id: str
    title: Text
    note: Text = EMPTY

    def json(self) -> Json:
        """Returns the view as its player reads it."""
        return {"id": self.id, "title": self.title.json(), "note": self.note.json()}


@dataclass(frozen=True, kw_only=True)
class Particles(View):
    """A square of the plane with layers on it.

    Attributes:
        extent: (x_min, x_max, y_min, y_max) in stage units.
        layers: Drawn in this order.
        pick: Whether a click on it means something.
        pin: A clicked point to mark.
        square: Where a painting lies within the extent, in the same order.
        units: What a unit of the stage stands for, per frame, where the view zooms with time;
            axis numbers, hover, picks and the pin are in what it stands for.
    """

    extent: tuple[float, float, float, float]
    layers: Sequence[Layer]
    pick: bool = False
    pin: tuple[float, float] | None = None
    square: tuple[float, float, float, float] | None = None
    units: Sequence[float] | None = None

    def json(self) -> Json:
        return {
            **super().json(),
            "kind": "particles",
            "extent": list(self.extent),
            "layers": [layer.json() for layer in self.layers],
            "pick": self.pick,
            "pin": list(self.pin) if self.pin else None,
            "square": list(self.square) if self.square else None,
            "units": None if self.units is None else [_rounded(float(u)) for u in self.units],
        }


@dataclass(frozen=True, kw_only=True)
class Plot(View):
    """A Plotly figure as JSON; colours are written "role:model", a cursor follows the frames.

    Attributes:
        figure: `data` and `layout` as Plotly names them.
        cursor: The x at which to draw the cursor, per frame.
    """

    figure: Json
    cursor: Sequence[float] | None = None

    def json(self) -> Json:
        cursor = {"x": [float(x) for x in self.cursor]} if self.cursor is not None else None
        return {**super().json(), "kind": "plot", "figure": self.figure, "cursor": cursor}


@dataclass(frozen=True, kw_only=True)
class Drawn(View):
    """A view whose fields a lab writes for one player alone (`tiles`, `online`).

    Attributes:
        fields: What the player reads, its `kind` included.
    """

    fields: Json

    def json(self) -> Json:
        return {**super().json(), **self.fields}


@dataclass(frozen=True)
class Readout:
    """A number under the stage.

    Attributes:
        id: Its name, by which a patch finds it.
        label: What it is.
        values: One value, or one per frame; text is shown as it is.
        unit: Written behind the value.
        digits: Significant digits of a number.
        help: A sentence for the tooltip: which formula, against what.
    """

    id: str
    label: Text
    values: Sequence[float] | Sequence[str] | float | str | Text
    unit: str = ""
    digits: int = 3
    help: Text | None = None

    def json(self) -> Json:
        """Returns the readout as the stage reads it."""
        values: Any = self.values
        if isinstance(values, Text):
            values = values.json()
        elif not isinstance(values, str | float | int):
            values = [v if isinstance(v, str) else _rounded(float(v)) for v in values]
        elif isinstance(values, float):
            values = _rounded(values)
        help_ = self.help.json() if self.help else None
        return {
            "id": self.id,
            "label": self.label.json(),
            "values": values,
            "unit": self.unit,
            "digits": self.digits,
            "help": help_,
        }


def _rounded(value: float) -> float | None:
    """Returns the value with seven digits, or None where JSON has no number for it."""
    return float(f"{value:.7g}") if np.isfinite(value) else None


@dataclass(frozen=True)
class Badge:
    """The check of the picture against an independent reference.

    Attributes:
        label: What was compared, in a few words.
        error: The difference found.
        tolerance: The largest difference that still counts as right.
        help: The check in a sentence.
    """

    label: Text
    error: float
    tolerance: float
    help: Text

    def json(self) -> Json:
        """Returns the badge; `ok` says whether the check passed."""
        return {
            "label": self.label.json(),
            "error": _rounded(self.error),
            "tolerance": self.tolerance,
            "ok": bool(self.error <= self.tolerance),
            "help": self.help.json(),
        }


@dataclass(frozen=True)
class CodeView:
    """Which source the Code fold shows.

    Attributes:
        names: Qualified names out of the lab's `code`, in order.
        lines: Per frame, the line (of the file) that is lit; empty when nothing steps.
    """

    names: Sequence[str]
    lines: Sequence[int] = ()


@dataclass(frozen=True)
class Drag:
    """What a dragged handle means: the action asked while it moves, the settings of its end."""

    action: str
    fields: tuple[str, str]


@dataclass(frozen=True)
class Curve:
    """An editor for a setting that is drawn as a curve: one base-36 digit per point.

    Attributes:
        field: The setting it writes.
        points: How many values it has.
        minimum: The value of the digit 0.
        maximum: The value of the digit z.
        x_label: What runs along it.
        label: What it is.
    """

    field: str
    points: int
    minimum: float
    maximum: float
    x_label: str
    label: Text


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything a lab shows at once.

    Attributes:
        views: The panels, left to right.
        frames: How many frames the transport walks.
        seconds: Duration at normal speed.
        loop: What happens at the end.
        tick_symbol: What the frame is measured in, "t" say.
        ticks: Its value, per frame.
        track: In [0, 1] per frame, drawn over the scrubber.
        readouts: Numbers under the stage.
        legend: What the colours mean here.
        badge: The check.
        code: What the Code fold shows.
        python: A snippet on `core` that reproduces the picture.
        painter: The setting that the painter on the first view writes, while it is open.
        curve: The curve editor to show under the stage.
        drag: What dragging a handle means.
        pick: The settings that a click on a view sets: of x, or of x and y.
        notice: A sentence over the stage.
        id: Names this run.
    """

    views: Sequence[View]
    frames: int
    seconds: float = 6.0
    loop: Literal["loop", "bounce", "once"] = "loop"
    tick_symbol: str = "t"
    ticks: Sequence[float] = ()
    track: Sequence[float] | None = None
    readouts: Sequence[Readout] = ()
    legend: Sequence[tuple[Role, Text]] = ()
    badge: Badge | None = None
    code: CodeView = CodeView(())
    python: str = ""
    painter: str | None = None
    curve: Curve | None = None
    drag: Drag | None = None
    pick: tuple[str, ...] = ()
    notice: Text | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(6))

    def json(self) -> Json:
        """Returns the scene as the stage reads it and the API returns it."""
        return {
            "id": self.id,
            "frames": self.frames,
            "seconds": self.seconds,
            "loop": self.loop,
            "ticks": {"symbol": self.tick_symbol, "values": [_rounded(t) for t in self.ticks]},
            "track": None if self.track is None else [round(float(x), 4) for x in self.track],
            "views": [view.json() for view in self.views],
            "readouts": [readout.json() for readout in self.readouts],
            "legend": [{"role": role, "label": label.json()} for role, label in self.legend],
            "badge": self.badge.json() if self.badge else None,
            "code": {"names": list(self.code.names), "lines": list(self.code.lines)},
            "python": self.python,
            "painter": self.painter,
            "curve": _plain(self.curve),
            "drag": _plain(self.drag),
            "pick": {"fields": list(self.pick)} if self.pick else None,
            "notice": self.notice.json() if self.notice else None,
        }


def _plain(part: Curve | Drag | None) -> Json | None:
    """Returns a part's fields by name."""
    if part is None:
        return None
    values = {f.name: getattr(part, f.name) for f in fields(part)}
    return {k: v.json() if isinstance(v, Text) else v for k, v in values.items()}


@dataclass(frozen=True, kw_only=True)
class Patch:
    """An update of the scene in view: layers by view and id, readouts by id.

    Attributes:
        layers: By view id, the layers to replace or add.
        figures: By view id, the Plotly figure to show.
        readouts: Those that changed.
        progress: Share of the job that is done, in [0, 1].
        doing: What the job is doing.
    """

    layers: Mapping[str, Sequence[Layer]] = field(default_factory=dict)
    figures: Mapping[str, Json] = field(default_factory=dict)
    readouts: Sequence[Readout] = ()
    progress: float | None = None
    doing: Text | None = None

    def json(self) -> Json:
        """Returns the patch as the stage reads it."""
        views: list[Json] = [
            {"id": view, "layers": [layer.json() for layer in layers]}
            for view, layers in self.layers.items()
        ]
        views += [{"id": view, "figure": figure} for view, figure in self.figures.items()]
        return {
            "patch": True,
            "views": views,
            "readouts": [readout.json() for readout in self.readouts],
            "progress": self.progress,
            "doing": self.doing.json() if self.doing else None,
        }
