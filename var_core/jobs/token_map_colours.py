"""The colours of token maps: one colour for every code."""

import numpy as np
import torch

from var_core.pipeline import VARPipeline

DARKEST, LIGHTEST = 40, 240  # smallest and largest value of a channel


def code_colours(pipeline: VARPipeline) -> np.ndarray:
    """A colour for every code, (V, 3) uint8: codes that are near each other look alike.

    The three channels are the ranks of the codes along the codebook's three principal axes.
    """
    codes = pipeline.tokenizer.quantizer.code_vectors().detach().double().cpu()
    axes = torch.linalg.svd(codes - codes.mean(dim=0), full_matrices=False).Vh[:3]
    ranks = (codes @ axes.T).argsort(dim=0).argsort(dim=0)
    shares = ranks * (LIGHTEST - DARKEST) // max(len(codes) - 1, 1)
    return (DARKEST + shares).to(torch.uint8).numpy()
