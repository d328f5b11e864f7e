"""The engine of VAR Studio: next-scale image generation (arXiv 2404.02905)."""

import logging

# diffusers imports xformers where it is installed, and on a machine without CUDA that warns about
# kernels which nothing here would use; this one message is dropped before the import below
logging.getLogger("xformers").addFilter(
    lambda record: "can't load C++/CUDA extensions" not in record.getMessage()
)

from var_core.checkpoints import CheckpointError  # noqa: E402
from var_core.editing import EditOptions, Margins  # noqa: E402
from var_core.labels import LabelSpace  # noqa: E402
from var_core.model_info import ModelInfo, read_model_info  # noqa: E402
from var_core.pipeline import Preview, VARPipeline, VARPipelineOutput  # noqa: E402
from var_core.sampling import SamplingOptions, generators_from_seeds  # noqa: E402
from var_core.scales import ScaleSchedule  # noqa: E402
from var_core.tokenizer import MultiScaleVQVAE  # noqa: E402
from var_core.transformer import VARTransformer  # noqa: E402

__all__ = [
    "CheckpointError",
    "EditOptions",
    "LabelSpace",
    "Margins",
    "ModelInfo",
    "MultiScaleVQVAE",
    "Preview",
    "SamplingOptions",
    "ScaleSchedule",
    "VARPipeline",
    "VARPipelineOutput",
    "VARTransformer",
    "generators_from_seeds",
    "read_model_info",
]
