"""The engine of VAR Studio: next-scale image generation (arXiv 2404.02905).

Each name is loaded when it is first asked for. Networks take seconds to load, and a command can
answer Ctrl-C before.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from var_core.checkpoints import CheckpointError
    from var_core.clip_options import ClipOptions
    from var_core.clip_pipeline import VARClipPipeline
    from var_core.editing import EditOptions, Margins
    from var_core.labels import LabelSpace
    from var_core.model_info import ModelInfo, read_model_info
    from var_core.outputs import ClipOutput, ClipPreview
    from var_core.pipeline import Preview, VARPipeline, VARPipelineOutput
    from var_core.sampling import SamplingOptions, generators_from_seeds
    from var_core.scales import ScaleSchedule
    from var_core.tokenizer import MultiScaleVQVAE
    from var_core.transformer import VARTransformer

# diffusers imports xformers where it is installed, and on a machine without CUDA that warns about
# kernels which nothing here would use; this one message is dropped
logging.getLogger("xformers").addFilter(
    lambda record: "can't load C++/CUDA extensions" not in record.getMessage()
)

__all__ = [
    "CheckpointError",
    "ClipOptions",
    "ClipOutput",
    "ClipPreview",
    "EditOptions",
    "LabelSpace",
    "Margins",
    "ModelInfo",
    "MultiScaleVQVAE",
    "Preview",
    "SamplingOptions",
    "ScaleSchedule",
    "VARClipPipeline",
    "VARPipeline",
    "VARPipelineOutput",
    "VARTransformer",
    "generators_from_seeds",
    "read_model_info",
]
_HOMES = {
    "checkpoints": ("CheckpointError",),
    "clip_options": ("ClipOptions",),
    "clip_pipeline": ("VARClipPipeline",),
    "editing": ("EditOptions", "Margins"),
    "labels": ("LabelSpace",),
    "model_info": ("ModelInfo", "read_model_info"),
    "outputs": ("ClipOutput", "ClipPreview"),
    "pipeline": ("Preview", "VARPipeline", "VARPipelineOutput"),
    "sampling": ("SamplingOptions", "generators_from_seeds"),
    "scales": ("ScaleSchedule",),
    "tokenizer": ("MultiScaleVQVAE",),
    "transformer": ("VARTransformer",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"var_core.{home}"), name)
    raise AttributeError(f"module 'var_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
