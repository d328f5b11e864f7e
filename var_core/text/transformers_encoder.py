"""Any text model of the library transformers, from a local folder."""

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor


class TransformersEncoder:
    """Mean of a text model's last states, scaled to length 1.

    Takes encoders, the encoder of encoder-decoders, and the text half of models for pictures and
    text. Weights are read from safetensors only, and nothing is downloaded.

    Args:
        folder: configuration, tokenizer and weights, as `save_pretrained` writes them.

    Raises:
        ValueError: if the library or the folder is missing, or the folder holds no such model.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        weights = sorted(folder.glob("*.safetensors"))
        if not folder.is_dir():
            raise ValueError(f"there is no text encoder folder {folder}")
        if not weights:
            raise ValueError(f"the text encoder folder {folder} holds no safetensors")
        try:
            transformers = importlib.import_module("transformers")
        except ImportError as error:
            raise ValueError("a text encoder folder needs the package transformers") from error
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
            model = transformers.AutoModel.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, **local
            )
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder} holds no text model: {error!s:.200}") from error
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        self._model = getattr(model, "text_model", model).eval().requires_grad_(False)
        digest = hashlib.sha256()
        for path in weights:
            digest.update(path.read_bytes())
        self.name = f"{model.config.model_type}-{digest.hexdigest()[:12]}"
        self.width: int = self._model.config.hidden_size

    @torch.inference_mode()
    def encode(self, phrases: Sequence[str]) -> Tensor:
        """Vectors of some phrases, (n, E) float32; one by one, for a batch rounds differently."""
        vectors = [torch.zeros(0, self.width, dtype=torch.float32)]
        for phrase in phrases:
            tokens = self._tokenizer(phrase, return_tensors="pt", truncation=True)
            ids, mask = tokens["input_ids"], tokens["attention_mask"]
            states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
            mean = states.mean(dim=1)  # (1, E)
            vectors.append(torch.nn.functional.normalize(mean, dim=1))
        return torch.cat(vectors)
