"""The widgets of the sampling options are made from the options' own descriptions."""

import gradio as gr

from var_core import VARPipeline
from var_core.web.controls import Controls
from var_core.web.option_widgets import option_widgets


def test_every_option_has_a_widget_in_its_range(pipeline: VARPipeline) -> None:
    controls = Controls(pipeline.info)
    with gr.Blocks():
        widgets = option_widgets(pipeline.info, controls.defaults())
    assert list(widgets) == controls.names[-len(widgets) :]
    for option in pipeline.info.option_fields:
        widget = widgets[option.name]
        assert (widget.label, widget.info, widget.value) == (
            option.label,
            option.help,
            option.default,
        )
        if option.is_switch:
            assert isinstance(widget, gr.Checkbox)
        else:
            assert option.low <= widget.minimum < widget.maximum <= option.high
