"""Keys and values of the scales already drawn, owned by one sampling run."""

import torch
from torch import Tensor


class KVCache:
    """Preallocated keys and values of all blocks.

    Args:
        num_blocks: number of blocks of the transformer.
        batch_size: number of rows, guidance branches included.
        num_heads: number of heads (h).
        num_tokens: room for all L tokens.
        head_dim: width of a head (d).
        dtype: dtype of the stored keys and values.
        device: device that stores them.
    """

    def __init__(
        self,
        num_blocks: int,
        batch_size: int,
        num_heads: int,
        num_tokens: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (num_blocks, batch_size, num_heads, num_tokens, head_dim)
        self._keys = torch.empty(shape, dtype=dtype, device=device)
        self._values = torch.empty(shape, dtype=dtype, device=device)
        self._lengths = [0] * num_blocks

    def append(self, block_index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store one scale of one block and return everything stored for that block.

        Args:
            block_index: index of the block.
            keys: (B, h, N, d).
            values: (B, h, N, d).

        Returns:
            Views of all keys and all values so far, (B, h, M, d) each.

        Raises:
            ValueError: if the cache is full.
        """
        start = self._lengths[block_index]
        end = start + keys.shape[2]
        if end > self._keys.shape[3]:
            raise ValueError(f"the cache holds {self._keys.shape[3]} tokens, {end} were given")
        self._keys[block_index, :, :, start:end] = keys
        self._values[block_index, :, :, start:end] = values
        self._lengths[block_index] = end
        return self._keys[block_index, :, :, :end], self._values[block_index, :, :, :end]

    def fill_to(self, num_tokens: int) -> None:
        """Take what is stored up to here as given: it was put there without `append`."""
        self._lengths = [num_tokens] * len(self._lengths)
