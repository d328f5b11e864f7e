"""The network: predicts all tokens of a scale from the coarser scales and the labels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from var_core.packing import Linear
from var_core.ranges import check_float, check_int
from var_core.scales import SIDES_256, ScaleSchedule
from var_core.transformer.backends import block_causal_mask
from var_core.transformer.block_causal import BlockCausal
from var_core.transformer.blocks import AdaptiveBlock, modulate
from var_core.transformer.conditions import Conditions
from var_core.transformer.kv_cache import KVCache
from var_core.transformer.label_maps import LabelMaps


class VARTransformer(ModelMixin, ConfigMixin):
    """Next-scale transformer of arXiv 2404.02905, section 3.2; the defaults are the published d16.

    Args:
        sides: sides of the token maps, coarse to fine.
        vocab_size: codes to choose from (V), 2 to 65,536.
        code_dim: width of the inputs (D), 1 to 512.
        label_counts: how many values each label attribute has; the index equal to the count is
            the attribute's null label. 1 to 8 attributes.
        depth: blocks, 1 to 64.
        width: channels (C), up to 8,192, a multiple of `num_heads`.
        num_heads: attention heads (h).
        mlp_ratio: hidden width of the feed-forward over C, in (0, 16].
        shared_modulation: one modulation map for all blocks instead of one each.
        qk_norm: unit queries and keys with a learned temperature.
        norm_eps: epsilon of the layer norms.
        label_map_rank: length of the code from which each label's map is made (see `LabelMaps`);
            0, as published, has no such maps. Up to 4,096.
        label_pairs: (last but one, last) attribute values with a code of their own; 0 to 1,000,000.

    Raises:
        ValueError: if a setting is out of range; nothing has been allocated then.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        sides: Sequence[int] = SIDES_256,
        vocab_size: int = 4096,
        code_dim: int = 32,
        label_counts: Sequence[int] = (1000,),
        depth: int = 16,
        width: int = 1024,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        shared_modulation: bool = False,
        qk_norm: bool = True,
        norm_eps: float = 1e-6,
        label_map_rank: int = 0,
        label_pairs: int = 0,
    ) -> None:
        schedule = ScaleSchedule(sides)
        check_int("vocab_size", vocab_size, 2, 65536)
        check_int("code_dim", code_dim, 1, 512)
        check_int("depth", depth, 1, 64)
        check_int("width", width, 1, 8192)
        check_int("num_heads", num_heads, 1, 256)
        check_float("mlp_ratio", mlp_ratio, 0.01, 16.0)
        check_float("norm_eps", norm_eps, 0.0, 1.0)
        check_int("label_map_rank", label_map_rank, 0, 4096)
        check_int("label_pairs", label_pairs, 0, 1_000_000)
        if width % num_heads:
            raise ValueError(f"width must be a multiple of num_heads ({num_heads}), got {width}")
        if not 1 <= len(label_counts) <= 8:
            raise ValueError(f"label_counts must have 1 to 8 entries, got {len(label_counts)}")
        for count in label_counts:
            check_int("label_counts", count, 1, 1_000_000)
        if label_pairs and (not label_map_rank or len(label_counts) < 2):
            raise ValueError("label_pairs needs a label_map_rank and two label_counts or more")
        super().__init__()
        self.gradient_checkpointing = False
        self.schedule = schedule
        self.label_embeds = nn.ModuleList(nn.Embedding(count + 1, width) for count in label_counts)
        self.label_maps = (
            LabelMaps(schedule, label_counts, label_map_rank, code_dim, width, label_pairs)
            if label_map_rank
            else None
        )
        first_tokens = schedule.sides[0] ** 2
        self.start_embed = nn.Parameter(torch.zeros(1, first_tokens, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, schedule.num_tokens, width))
        self.scale_embed = nn.Embedding(schedule.num_scales, width)
        self.input_proj = Linear(code_dim, width)
        self.block_modulation = Linear(width, 6 * width) if shared_modulation else None
        self.blocks = nn.ModuleList(
            AdaptiveBlock(
                width,
                num_heads,
                round(width * mlp_ratio),
                qk_norm,
                shared_modulation,
                norm_eps,
            )
            for _ in range(depth)
        )
        self.head_modulation = Linear(width, 2 * width)
        self.head = Linear(width + (code_dim + 1 if label_map_rank else 0), vocab_size)

    @property
    def null_labels(self) -> tuple[int, ...]:
        """The null index of each attribute."""
        return tuple(self.config.label_counts)

    def new_cache(self, batch_size: int) -> KVCache:
        """An empty cache for one run of `batch_size` rows."""
        weight = self.head.weight
        config = self.config
        return KVCache(
            config.depth,
            batch_size,
            config.num_heads,
            self.schedule.num_tokens,
            config.width // config.num_heads,
            weight.dtype,
            weight.device,
        )

    def conditions(self, labels: Tensor, rows: Tensor | None = None) -> Conditions:
        """Embed labels and derive all modulations.

        Args:
            labels: (B, A) int64, one column per attribute, each in [0, count]; count is null.
            rows: (B,) int64, pair codes to use instead of those of the labels (see `LabelMaps`).

        Returns:
            The conditions that `hidden_states` and `predict_scale` take.
        """
        columns = zip(self.label_embeds, labels.unbind(1), strict=True)
        embedding = sum(embed(column) for embed, column in columns)  # (B, C)
        counts = torch.tensor([side * side for side in self.schedule.sides])
        counts = counts.to(self.pos_embed.device)
        places = self.pos_embed + self.scale_embed.weight.repeat_interleave(
            counts, dim=0, output_size=self.schedule.num_tokens
        )
        expected = trust = None
        if self.label_maps is not None:
            if self.label_maps.num_pairs:
                rows = self.label_maps.rows(labels) if rows is None else rows
                embedding = embedding + self.label_maps.source_embed(self.label_maps.sources(rows))
            expected = self.label_maps(labels, rows)
            trust = self.label_maps.trust(labels, rows)
            places = places + self.label_maps.proj(expected)
        shared = None
        if self.block_modulation is not None:
            shared = self.block_modulation(F.silu(embedding)).unflatten(1, (6, -1))  # (B, 6, C)
        head = self.head_modulation(F.silu(embedding)).unflatten(1, (2, -1))
        head_scale, head_shift = head.unsqueeze(1).unbind(2)  # (B, 1, C) each
        blocks = tuple(block.modulation_of(embedding, shared) for block in self.blocks)
        return Conditions(embedding, blocks, head_scale, head_shift, places, expected, trust)

    def hidden_states(
        self,
        inputs: Tensor,
        conditions: Conditions,
        mask: Tensor | BlockCausal | None,
        backend: str = "auto",
        branch_factors: Tensor | None = None,
    ) -> Tensor:
        """Teacher-forced states before the head, for training and as the slow twin of drawing.

        Args:
            inputs: next-scale inputs of scales 2 to k, (B, M - N_1, D).
            conditions: of the labels of the B rows.
            mask: (M, M) bool, True where attending is allowed (see `block_causal_mask`), or
                `BlockCausal` attention of the scales given, which brings its own kernel.
            backend: attention kernel under such a mask.
            branch_factors: (depth, 2, B, 1, 1) factors on the residual branches, or None.

        Returns:
            (B, M, C), or (B, M, C + D + 1) with label maps: ready for `logits`.
        """
        inputs = inputs.to(self.head.weight.dtype)
        hidden = torch.cat((self._first_input(conditions), self.input_proj(inputs)), dim=1)
        hidden = hidden + conditions.places[:, : hidden.shape[1]]
        for index, (block, parts) in enumerate(zip(self.blocks, conditions.blocks, strict=True)):
            factors = None if branch_factors is None else branch_factors[index]
            arguments = (hidden, parts, mask, None, index, backend, factors)
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden = self._gradient_checkpointing_func(block, *arguments)
            else:
                hidden = block(*arguments)
        first = self.schedule.sides[0] ** 2
        return self._final(hidden, conditions, F.pad(inputs, (0, 0, first, 0)), 0)

    def forward(self, inputs: Tensor, labels: Tensor, backend: str = "auto") -> Tensor:
        """Teacher-forced logits of all scales.

        Args:
            inputs: next-scale inputs of scales 2 to K, (B, L - N_1, D).
            labels: (B, A) int64.
            backend: attention kernel.

        Returns:
            (B, L, V) float32.
        """
        mask = block_causal_mask(self.schedule).to(inputs.device)
        return self.logits(self.hidden_states(inputs, self.conditions(labels), mask, backend))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all codes: states (B, N, C) or (B, N, C + D + 1) -> (B, N, V) float32."""
        return self.head(hidden).float()

    def predict_scale(
        self,
        inputs: Tensor,
        conditions: Conditions,
        scale_index: int,
        cache: KVCache,
        backend: str = "auto",
    ) -> Tensor:
        """Run the blocks on one scale, coarse scales coming from the cache, which it fills.

        Args:
            inputs: next-scale inputs of this scale, (B, N, D); not used for scale 0, which starts
                from the labels alone.
            conditions: of the labels of the B rows.
            scale_index: the scale to predict; all coarser ones must have been run.
            cache: from `new_cache(B)`.
            backend: attention kernel.

        Returns:
            States for `logits`. No mask is needed: a scale sees itself and all before.
        """
        inputs = inputs.to(self.head.weight.dtype)
        tokens = self.schedule.token_range(scale_index)
        hidden = self._first_input(conditions) if scale_index == 0 else self.input_proj(inputs)
        hidden = hidden + conditions.places[:, tokens]
        for index, (block, parts) in enumerate(zip(self.blocks, conditions.blocks, strict=True)):
            hidden = block(hidden, parts, None, cache, index, backend)
        return self._final(hidden, conditions, inputs, tokens.start)

    def _first_input(self, conditions: Conditions) -> Tensor:
        """Input of scale 0: label and start embedding, (B, N_1, C)."""
        return conditions.embedding.unsqueeze(1) + self.start_embed

    def _final(self, hidden: Tensor, conditions: Conditions, inputs: Tensor, start: int) -> Tensor:
        """The norm before the head, and what `inputs` leave open of the label maps."""
        eps = self.config.norm_eps
        hidden = modulate(hidden, conditions.head_scale, conditions.head_shift, eps)
        if conditions.expected is None:
            return hidden
        tokens = slice(start, start + hidden.shape[1])
        trust = conditions.trust[:, tokens]
        rest = (conditions.expected[:, tokens] - inputs) * trust
        return torch.cat((hidden, rest, trust), dim=2)
