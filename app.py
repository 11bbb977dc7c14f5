"""Vitrine: a visual laboratory for deep learning. Run it, and open the address it prints."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
import torch

from labs import LABS
from labs.endpoints import publish
from labs.serving import STATIC, middleware, routes
from labs.stage import build
from labs.text import Translations
from labs.theme import THEME

_HEADER = '<span class="vt-mark"><i></i>Vitrine</span><div class="vt-tools"></div>'
_HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="stylesheet" href="{static}/css/vitrine.css">'
    '<link rel="stylesheet" href="{static}/css/players.css">'
    '<link rel="stylesheet" href="{static}/css/painter.css">'
    '<link rel="stylesheet" href="{static}/css/tiles.css">'
    '<script src="{static}/js/theme.js"></script>'
)


def build_page(words: Translations) -> gr.Blocks:
    """Builds the page: the header, and one tab per lab."""
    with gr.Blocks(
        title="Vitrine", analytics_enabled=False, fill_width=True, delete_cache=(1800, 3600)
    ) as page:
        gr.HTML(
            html_template=_HEADER,
            js_on_load=(
                f"import(new URL('{STATIC.prefix}/js/page.js', document.baseURI).href)"
                ".then((page) => page.mount(element))"
            ),
            apply_default_css=False,
            elem_id="vt-header",
        )
        with gr.Tabs(elem_id="vt-tabs") as tabs:
            for lab in LABS:
                with gr.Tab(words.add(f"{lab.slug}.tab", lab.tab), id=lab.slug):
                    build(lab, words)
        for lab in LABS:
            publish(lab)
        page.load(
            _selected, None, tabs, queue=False, show_progress="hidden", api_visibility="private"
        )
    return page


def _selected(request: gr.Request) -> Any:
    """Opens the tab that the address names."""
    slug = request.query_params.get("lab")
    return gr.Tabs(selected=slug) if slug in {lab.slug for lab in LABS} else gr.skip()


def launch(**options: Any) -> gr.Blocks:
    """Starts the app and returns it; `options` go to Gradio's `launch` (a test's port, say)."""
    # Several visitors compute at once: one thread each beats all of them on all cores.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    words = Translations()
    page = build_page(words)
    page.queue(max_size=64, default_concurrency_limit=2, api_open=False)
    page.launch(
        theme=THEME,
        head=_HEAD.format(static=STATIC.prefix),
        i18n=words.gradio(),
        run_history=False,
        footer_links=["api"],
        max_file_size="5mb",
        enable_monitoring=False,
        show_error=False,
        state_session_capacity=300,
        favicon_path=Path(__file__).parent / "static" / "favicon.svg",
        app_kwargs={"middleware": middleware(), "routes": routes(LABS)},
        **options,
    )
    return page


if __name__ == "__main__":
    launch()
