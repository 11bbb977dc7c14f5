"""The Gradio theme: the tokens of static/css/vitrine.css, handed to Gradio's own components."""

import gradio as gr

_SANS = (
    "ui-sans-serif",
    "system-ui",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Noto Sans SC",
    "sans-serif",
)
_MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")


def _both(**tokens: str) -> dict[str, str]:
    """Returns each token for both schemes; the CSS variables differ by themselves."""
    return tokens | {f"{name}_dark": value for name, value in tokens.items()}


THEME = gr.themes.Base(
    font=_SANS, font_mono=_MONO, text_size="md", spacing_size="sm", radius_size="md"
).set(
    color_accent="var(--ink)",
    **_both(
        body_background_fill="var(--paper)",
        body_text_color="var(--ink)",
        body_text_color_subdued="var(--ink-2)",
        background_fill_primary="var(--paper)",
        background_fill_secondary="var(--paper-2)",
        block_background_fill="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_color="var(--ink)",
        block_title_text_color="var(--ink)",
        block_info_text_color="var(--ink-2)",
        border_color_primary="var(--line)",
        border_color_accent="var(--ink)",
        color_accent_soft="var(--paper-2)",
        input_background_fill="var(--paper)",
        input_border_color="var(--line)",
        input_border_color_focus="var(--focus)",
        slider_color="var(--ink)",
        checkbox_background_color="var(--paper)",
        checkbox_background_color_selected="var(--data)",
        checkbox_border_color_selected="var(--ink)",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_selected="transparent",
        checkbox_label_border_color="var(--line)",
        checkbox_label_border_color_selected="var(--ink)",
        checkbox_label_text_color="var(--ink-2)",
        checkbox_label_text_color_selected="var(--ink)",
        button_secondary_background_fill="transparent",
        button_secondary_border_color="var(--line)",
        button_secondary_text_color="var(--ink)",
    ),
)
