"""One declaration, many uses: what a field of a lab's `Settings` may be, and all that follows.

A lab declares each setting once, as a dataclass field made by `setting(default, Spec(...))`. From
this declaration come the control in the rail, the validation and its sentence, the URL, the bounds
in the API's description, and the strategies of the property-based tests.
"""

import base64
import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import urlencode

import gradio as gr

from labs.ink import INK_LENGTH, decode_ink, encode_ink, ink_of_picture
from labs.text import Text, Translations

S = TypeVar("S")
Place = Literal["rail", "more", "stage"]


class Refusal(ValueError):
    """A user's value that breaks a rule: a sentence in every language of the app."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """What a setting is.

    Attributes:
        label: Its name beside the control.
        help: What it means, in a sentence.
        key: Its short name in the URL; unique within the lab.
        place: In sight in the rail, behind "More", or set on the stage itself.
        when: Shown only while another setting has one of these values: (name, values).
        kind: The Python type of its values.
    """

    kind: ClassVar[type]

    label: Text
    key: str
    help: Text | None = None
    place: Place = "more"
    when: tuple[str, tuple[object, ...]] | None = None

    @abstractmethod
    def parse(self, name: str, value: object) -> Any:
        """Returns `value` as this setting's type.

        Raises:
            Refusal: If it breaks the setting's rule.
        """

    @abstractmethod
    def bounds(self) -> str:
        """Returns the rule in words, for the API's description."""

    def write(self, value: Any) -> str:
        """Returns `value` as it stands in a URL."""
        return str(value)

    @abstractmethod
    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        """Returns the Gradio control for this setting."""


def _number(name: str, value: object) -> float:
    """Returns a finite float, taking the numerals that a URL or an API caller may send."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise _refuse(name, Text("must be a number", "必须是数字"), value) from None
    if not math.isfinite(number):
        raise _refuse(name, Text("must be a finite number", "必须是有限的数字"), value)
    return number


def _refuse(name: str, rule: Text, value: object) -> Refusal:
    got = repr(value) if isinstance(value, str) else str(value)
    got = got if len(got) <= 60 else got[:57] + "..."
    return Refusal(Text(f"{name} {rule.en}, got {got}.", f"{name} {rule.zh}，收到 {got}。"))


@dataclass(frozen=True, kw_only=True)
class Number(Spec):
    """A real number in [minimum, maximum], in `unit`."""

    kind = float

    minimum: float
    maximum: float
    step: float
    unit: str = ""

    def parse(self, name: str, value: object) -> Any:
        number = _number(name, value)
        if not self.minimum <= number <= self.maximum:
            low, high = f"{self.minimum:g}", f"{self.maximum:g}"
            rule = Text(f"must be between {low} and {high}", f"必须在 {low} 和 {high} 之间")
            raise _refuse(name, rule, value)
        return number

    def bounds(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"number, {self.minimum:g} to {self.maximum:g}{unit}"

    def write(self, value: Any) -> str:
        return f"{value:.6g}"

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        del words
        return gr.Slider(
            self.minimum, self.maximum, default, step=self.step, label=label, **options
        )


@dataclass(frozen=True, kw_only=True)
class Integer(Number):
    """A whole number in [minimum, maximum]; `log` spaces its slider logarithmically."""

    kind = int

    step: float = 1
    log: bool = False

    def parse(self, name: str, value: object) -> Any:
        number = super().parse(name, value)
        if number != int(number):
            raise _refuse(name, Text("must be a whole number", "必须是整数"), value)
        return int(number)

    def bounds(self) -> str:
        return "whole " + super().bounds()

    def write(self, value: Any) -> str:
        return str(value)

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        classes = ["vt-log"] if self.log else []
        return super().component(default, label, words, elem_classes=classes, **options)


@dataclass(frozen=True, kw_only=True)
class Choice(Spec):
    """One of a few named options, in display order."""

    kind = str

    options: Mapping[str, Text]

    def parse(self, name: str, value: object) -> Any:
        if not isinstance(value, str) or value not in self.options:
            names = ", ".join(self.options)
            raise _refuse(name, Text(f"must be one of {names}", f"必须是 {names} 之一"), value)
        return value

    def bounds(self) -> str:
        return "one of " + ", ".join(self.options)

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        prefix = options["elem_id"]
        choices = [
            (words.add(f"{prefix}.{value}", text), value) for value, text in self.options.items()
        ]
        return gr.Radio(choices, value=default, label=label, **options)


@dataclass(frozen=True, kw_only=True)
class Toggle(Spec):
    """On or off."""

    kind = bool

    def parse(self, name: str, value: object) -> Any:
        known = {True: True, False: False, "1": True, "0": False, "true": True, "false": False}
        if isinstance(value, bool | str) and value in known:
            return known[value]
        raise _refuse(name, Text("must be true or false", "必须是 true 或 false"), value)

    def bounds(self) -> str:
        return "true or false"

    def write(self, value: Any) -> str:
        return "1" if value else "0"

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        del words
        return gr.Checkbox(default, label=label, **options)


@dataclass(frozen=True, kw_only=True)
class Words(Spec):
    """A line of text of at most `longest` characters."""

    kind = str

    longest: int

    def parse(self, name: str, value: object) -> Any:
        if not isinstance(value, str):
            raise _refuse(name, Text("must be text", "必须是文字"), value)
        text = " ".join(value.split())
        if not 1 <= len(text) <= self.longest:
            rule = Text(
                f"must have 1 to {self.longest} characters", f"必须有 1 到 {self.longest} 个字符"
            )
            raise _refuse(name, rule, len(text))
        return text

    def bounds(self) -> str:
        return f"text, 1 to {self.longest} characters"

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        del words
        return gr.Textbox(default, label=label, max_lines=1, max_length=self.longest, **options)


@dataclass(frozen=True, kw_only=True)
class Code(Spec):
    """A compact text that the stage writes (a painting, a drawn curve); empty when there is none.

    Attributes:
        longest: Most characters it may have.
        alphabet: The characters allowed, as the inside of a regular expression's class.
    """

    kind = str

    longest: int
    alphabet: str = "A-Za-z0-9_.-"

    def parse(self, name: str, value: object) -> Any:
        if not isinstance(value, str):
            raise _refuse(name, Text("must be text", "必须是文字"), value)
        if len(value) > self.longest:
            rule = Text(
                f"must have at most {self.longest} characters", f"最多 {self.longest} 个字符"
            )
            raise _refuse(name, rule, len(value))
        if re.fullmatch(f"[{self.alphabet}]*", value) is None:
            rule = Text(
                f"may only hold the characters {self.alphabet}", f"只能含有字符 {self.alphabet}"
            )
            raise _refuse(name, rule, value)
        return value

    def bounds(self) -> str:
        return f"text over {self.alphabet}, at most {self.longest} characters, or empty"

    def component(self, default: Any, label: Any, words: Translations, **options: Any) -> Any:
        del words
        return gr.Textbox(default, label=label, **options)


@dataclass(frozen=True, kw_only=True)
class Ink(Code):
    """A painting: 64 × 64 grey levels in the compact text of `labs.ink`."""

    longest: int = INK_LENGTH

    def parse(self, name: str, value: object) -> Any:
        text = super().parse(name, value)
        _painting(lambda: decode_ink(text))
        return text

    def of_picture(self, picture: object) -> str:
        """Returns the painting that a picture gives.

        Args:
            picture: The file's bytes (PNG, JPEG or WebP) in base64.

        Raises:
            Refusal: If it is no such picture, too large, or of one colour.
        """
        try:
            raw = base64.b64decode(picture, validate=True) if isinstance(picture, str) else b""
        except ValueError:
            raw = b""
        return encode_ink(_painting(lambda: ink_of_picture(raw)))


def _painting(make: Callable[[], Any]) -> Any:
    """Calls `make`, turning the sentence of `labs.ink` into a refusal."""
    try:
        return make()
    except ValueError as error:
        raise Refusal(Text(str(error), f"绘画或图片无法使用：{error}")) from error


def setting(default: Any, spec: Spec) -> Any:
    """Returns the dataclass field for one setting."""
    return field(default=default, metadata={"spec": spec})


def specs(settings: Any) -> dict[str, Spec]:
    """Returns every setting's declaration by name, in order.

    Args:
        settings: A `Settings` class or an instance of one.
    """
    return {f.name: f.metadata["spec"] for f in dataclasses.fields(settings)}


def defaults(settings: type) -> dict[str, Any]:
    """Returns every setting's default by name."""
    return {f.name: f.default for f in dataclasses.fields(settings)}


def validate(settings: type[S], values: Mapping[str, object]) -> S:
    """Builds `settings` from values by name; what is not given keeps its default.

    Raises:
        Refusal: At the first value that breaks its rule, or a name that is no setting.
    """
    known = specs(settings)
    for name in values:
        if name not in known:
            raise _refuse("settings", Text("has no such name", "没有这个名称"), name)
    return settings(**{name: known[name].parse(name, value) for name, value in values.items()})


def from_query(settings: type[S], query: Mapping[str, str]) -> S:
    """Reads settings from a URL's query, where they stand under their short keys.

    Raises:
        Refusal: If a value breaks its rule. Keys of no setting belong to the page; they pass.
    """
    by_key = {spec.key: name for name, spec in specs(settings).items()}
    return validate(settings, {by_key[k]: v for k, v in query.items() if k in by_key})


def to_query(settings: Any) -> str:
    """Returns the settings that differ from their defaults, as a URL's query."""
    given = {
        spec.key: spec.write(getattr(settings, name))
        for name, spec in specs(settings).items()
        if getattr(settings, name) != defaults(type(settings))[name]
    }
    return urlencode(given)
