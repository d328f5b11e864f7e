"""What all public methods of a pipeline have in common: people call them by habit.

A keyword of another pipeline is answered with what to use here, and settings of the caller are kept
out.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import ParamSpec, TypeVar

from var_core.clip_options import ClipOptions
from var_core.editing import EditOptions, Margins
from var_core.own_settings import in_own_settings
from var_core.ranges import unknown_name
from var_core.sampling import SamplingOptions

Given = ParamSpec("Given")
Result = TypeVar("Result")

NO_DIFFUSION = "a picture takes one step for each scale of the model, which are not chosen"
MODEL_SIZE = "pictures have the size of the model: resize them, or see outpaint()"
REPEAT = "repeat the label or the prompt, as in [label] * 4"
NO_FETCHING = "nothing is fetched: give the path of a model folder"
STREAM = "use stream(), which yields the pictures after every scale"
KEEP = "use keep=, the token maps of earlier pictures"
NO_DEVICES = 'use .to("cuda") or .to("cpu")'
WORDS = "prompts are words: use prompt= and negative_prompt="
STRENGTH = "use vary(), whose keep_scales says how much is kept"
MASK = "use mask="
INSTEAD = {
    "num_inference_steps": NO_DIFFUSION,
    "timesteps": NO_DIFFUSION,
    "sigmas": NO_DIFFUSION,
    "eta": NO_DIFFUSION,
    "scheduler": NO_DIFFUSION,
    "guidance_rescale": NO_DIFFUSION,
    "clip_skip": NO_DIFFUSION,
    "height": MODEL_SIZE,
    "width": MODEL_SIZE,
    "image_size": MODEL_SIZE,
    "num_images_per_prompt": REPEAT,
    "num_samples": REPEAT,
    "batch_size": REPEAT,
    "latents": KEEP,
    "callback": STREAM,
    "callback_steps": STREAM,
    "callback_on_step_end": STREAM,
    "callback_on_step_end_tensor_inputs": STREAM,
    "prompt_embeds": WORDS,
    "negative_prompt_embeds": WORDS,
    "strength": STRENGTH,
    "mask_image": MASK,
    "seed": "use generator=torch.Generator().manual_seed(seed), or a list of one for each picture",
    "cfg": "use guidance_scale=",
    "cfg_scale": "use guidance_scale=",
    "revision": NO_FETCHING,
    "subfolder": NO_FETCHING,
    "token": NO_FETCHING,
    "use_auth_token": NO_FETCHING,
    "force_download": NO_FETCHING,
    "proxies": NO_FETCHING,
    "mirror": NO_FETCHING,
    "custom_pipeline": "no foreign code is run",
    "trust_remote_code": "no foreign code is run",
    "max_memory": NO_DEVICES,
    "offload_folder": NO_DEVICES,
    "safety_checker": "there is none",
    "return_dict": "a result has names, such as .images",
}
OPTIONS = {
    "options": SamplingOptions,
    "edit_options": EditOptions,
    "margins": Margins,
    "clip_options": ClipOptions,
}


class UnknownKeywordError(TypeError, ValueError):
    """A keyword that a method does not have; the message says what to use."""


def door(method: Callable[Given, Result]) -> Callable[Given, Result]:
    """Decorator for public methods, written below @classmethod.

    Raises:
        UnknownKeywordError: on a call, if it has a keyword that the method does not have.
    """
    names = tuple(name for name in inspect.signature(method).parameters if name != "self")
    called = in_own_settings(method)

    @functools.wraps(method)
    def entered(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        for name, value in kwargs.items():
            if name not in names:
                raise _refusal(name, value, names)
        return called(*args, **kwargs)

    return entered


def _refusal(name: str, value: object, names: tuple[str, ...]) -> UnknownKeywordError:
    for holder, kind in OPTIONS.items():
        if holder in names and name in {field.name for field in fields(kind)}:
            instead = f"use {holder}={kind.__name__}({name}={value!r:.40})"
            return UnknownKeywordError(f"there is no argument {name} here: {instead}")
    if name in INSTEAD:
        return UnknownKeywordError(f"{name}={value!r:.40} has no meaning here: {INSTEAD[name]}")
    hint = unknown_name("argument", name, names)
    return UnknownKeywordError(f"{hint}, got {name:.40}={value!r:.40}")
