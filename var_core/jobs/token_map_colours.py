"""The colours of token maps: one colour for every code, and token maps as pictures."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from var_core.jobs.contact_sheet import enlarge
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


def token_map_image(token_map: Tensor, colours: np.ndarray, side: int) -> Image.Image:
    """Token map (S, S) as a picture of at least `side` pixels, one square per token."""
    cells = Image.fromarray(colours[token_map.cpu().numpy()])
    return enlarge(cells, side, Image.Resampling.NEAREST)
