"""How the page looks, as far as gradio's themes decide it; the rest is `assets/styles/`."""

from gradio.themes import Base, Soft


def page_theme() -> Base:
    """Gradio's soft theme without web fonts, in colours with the contrast that WCAG AA asks for."""
    return Soft(spacing_size="sm", font=["system-ui", "sans-serif"], font_mono=["monospace"]).set(
        block_label_text_color="*primary_700",
        block_title_text_color="*primary_700",
        block_info_text_color="*neutral_600",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_700",
        button_secondary_background_fill_hover_dark="*primary_600",
        checkbox_label_background_fill_selected="*primary_600",
        block_border_width="1px",
        input_border_width="1px",
        input_border_color="*neutral_400",
        checkbox_border_color="*neutral_500",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
