"""Words in the two languages of the app, and the long texts kept as Markdown in static/text."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.i18n import I18nData
from markdown_it import MarkdownIt

TEXT_DIR = Path(__file__).parents[1] / "static" / "text"
LANGUAGES = ("en", "zh")


class Text(NamedTuple):
    """One short text in every language of the app."""

    en: str
    zh: str

    def json(self) -> dict[str, str]:
        """Returns the form in which a text travels to the browser."""
        return {"en": self.en, "zh": self.zh}

    def pick(self, language: str) -> str:
        """Returns the text in `language` ("en" or "zh")."""
        return self.zh if language == "zh" else self.en


class Translations:
    """Collects texts under keys and hands them to Gradio, which translates in the browser."""

    def __init__(self) -> None:
        self._texts: dict[str, Text] = {}

    def add(self, key: str, text: Text) -> I18nData | str:
        """Registers `text` under `key` and returns the label to give to a component.

        Raises:
            ValueError: If another text already has this key.
        """
        if self._texts.setdefault(key, text) != text:
            raise ValueError(f"translation key {key!r} is taken by another text.")
        return text.en if text.en == text.zh else gr.I18n()(key)

    def gradio(self) -> gr.I18n:
        """Returns Gradio's translation table."""
        en = {key: text.en for key, text in self._texts.items()}
        zh = {key: text.zh for key, text in self._texts.items()}
        return gr.I18n(**{"en": en, "zh-CN": zh, "zh-TW": zh})


_TITLE = re.compile(r"^## +(\w+)\s*$", re.MULTILINE)
_CARD = re.compile(r"^### +(.+)$", re.MULTILINE)


@cache
def lab_text(slug: str, language: str) -> dict[str, object]:
    """Reads static/text/<slug>.<language>.md into what the folds show.

    The file has the sections `## idea`, `## maths` and `## try`. A card of the last one opens with
    `### title`, holds its settings as a line `settings: key=value&key=value`, what to look for,
    then a line `question:` and a line `answer:`.

    Returns:
        `idea` and `maths` as HTML, `cards` as a list of dictionaries with the keys title, link,
        look, question and answer (all but title and link are HTML).
    """
    source = (TEXT_DIR / f"{slug}.{language}.md").read_text(encoding="utf-8")
    pieces = _TITLE.split(source)[1:]
    sections = dict(zip(pieces[::2], pieces[1::2], strict=True))
    cards = _CARD.split(sections["try"])[1:]
    return {
        "idea": _html(sections["idea"]),
        "maths": _html(sections["maths"]),
        "cards": [_card(*card) for card in zip(cards[::2], cards[1::2], strict=True)],
    }


def _card(title: str, body: str) -> dict[str, str]:
    match = re.search(
        r"^settings:(?P<link>[^\n]*)$(?P<look>.*)^question:(?P<question>.*)^answer:(?P<answer>.*)",
        body,
        re.MULTILINE | re.DOTALL,
    )
    if match is None:
        raise ValueError(f"card {title!r} needs settings, question and answer, in this order.")
    parts = {name: _html(match[name]) for name in ("look", "question", "answer")}
    return {"title": title.strip(), "link": match["link"].strip(), **parts}


_FORMULA = re.compile(r"(\$\$.+?\$\$|\$[^$\n]+\$)", re.DOTALL)


def _html(markdown: str) -> str:
    """Renders Markdown, keeping $formulas$ untouched for KaTeX in the browser."""
    formulas: list[str] = []

    def hold(match: re.Match[str]) -> str:
        formulas.append(match[0])
        return f"\N{OBJECT REPLACEMENT CHARACTER}{len(formulas) - 1};"

    html = str(MarkdownIt("commonmark", {"html": False}).render(_FORMULA.sub(hold, markdown)))
    return re.sub(
        "\N{OBJECT REPLACEMENT CHARACTER}(\\d+);", lambda m: _formula(formulas[int(m[1])]), html
    )


def _formula(source: str) -> str:
    display = source.startswith("$$")
    tex = source.strip("$").strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    tag = "div" if display else "span"
    return f'<{tag} class="vt-tex">{tex}</{tag}>'
