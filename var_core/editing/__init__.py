"""Zero-shot editing: a mask, rules on codes, windows, and what joins the parts without a seam."""

from var_core.editing.editor import (
    MAX_BEST_OF,
    RULES,
    EditOptions,
    EditStep,
    edit_steps,
    outpaint_canvas,
)
from var_core.editing.masks import check_mask, read_mask
from var_core.editing.view import view_known
from var_core.editing.windows import Margins, Window, central_window, known_window, window_around

__all__ = [
    "MAX_BEST_OF",
    "RULES",
    "EditOptions",
    "EditStep",
    "Margins",
    "Window",
    "central_window",
    "check_mask",
    "edit_steps",
    "known_window",
    "outpaint_canvas",
    "read_mask",
    "view_known",
    "window_around",
]
