"""The network: predicts all tokens of a scale from the coarser scales and the condition."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from var_core.condition import Condition
from var_core.packing import Linear
from var_core.scales import SIDES_256, ScaleSchedule, Sides
from var_core.transformer.attention_kernels import block_causal_mask
from var_core.transformer.block_causal import BlockCausal
from var_core.transformer.blocks import AdaptiveBlock, modulate
from var_core.transformer.condition_methods import ConditionMethods
from var_core.transformer.embedded_condition import EmbeddedCondition
from var_core.transformer.kv_cache import KVCache
from var_core.transformer.prompt import PromptEmbedding
from var_core.transformer.settings import check_settings

MAX_PHRASES = 8


class VARTransformer(ConditionMethods, ModelMixin, ConfigMixin):
    """Next-scale transformer of arXiv 2404.02905, section 3.2; the defaults are the published d16.

    With text, the phrases of a prompt are tokens at the front of the sequence, `max_phrases` of
    them, which belong to the first scale: what they start from is known before anything is drawn.
    Every finer scale sees them. Their mean joins the label embeddings.

    Args:
        sides: token maps, coarse to fine: sides of square ones, (height, width), or (frames,
            height, width).
        vocab_size: codes to choose from (V), 2 to 65,536.
        code_dim: width of the inputs (D), 1 to 512.
        label_counts: how many values each label attribute has; the index equal to the count is
            the attribute's null label. 1 to 8 attributes; with text also none.
        depth: blocks, 1 to 64.
        width: channels (C), up to 8,192, a multiple of `num_heads`.
        num_heads: attention heads (h).
        mlp_ratio: hidden width of the feed-forward over C, in (0, 16].
        shared_modulation: one modulation map for all blocks instead of one each.
        qk_norm: unit queries and keys with a learned temperature.
        norm_eps: epsilon of the layer norms.
        text_dim: width of the phrase vectors (E), up to 4,096; 0, as published, takes no text.
        max_phrases: phrases that a prompt may have (P), 1 to 64.

    Raises:
        ValueError: if a setting is out of range; nothing has been allocated then.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        sides: Sides = SIDES_256,
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
        text_dim: int = 0,
        max_phrases: int = MAX_PHRASES,
    ) -> None:
        check_settings(self.config)
        super().__init__()
        self.gradient_checkpointing = False
        self.schedule = schedule = ScaleSchedule(sides)
        self.label_counts = tuple(label_counts)
        self.text_dim = text_dim
        self.num_prefix = max_phrases if text_dim else 0
        self.label_embeds = nn.ModuleList(nn.Embedding(count + 1, width) for count in label_counts)
        self.prompt = PromptEmbedding(text_dim, width) if text_dim else None
        self.start_embed = nn.Parameter(torch.zeros(1, schedule.size_of(0), width))
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
        self.head = Linear(width, vocab_size)

    def sequence_range(self, scale_index: int) -> slice:
        """Where one scale sits in the sequence; the first scale has the phrases in front."""
        tokens = self.schedule.token_range(scale_index)
        start = tokens.start + self.num_prefix if scale_index else 0
        return slice(start, tokens.stop + self.num_prefix)

    def block_causal(self, num_scales: int | None = None, backend: str = "auto") -> BlockCausal:
        """Attention for teacher-forced passes over the first scales; None takes all.

        Raises:
            ValueError: as `BlockCausal`, and if there are not so many scales.
        """
        if num_scales is None:
            num_scales = self.schedule.num_scales
        schedule = self.schedule.first(num_scales)
        return BlockCausal(schedule, self.device, backend, self.num_prefix)

    def new_cache(self, batch_size: int) -> KVCache:
        """An empty cache for one run of `batch_size` rows."""
        weight = self.head.weight
        config = self.config
        return KVCache(
            config["depth"],
            batch_size,
            config["num_heads"],
            self.num_prefix + self.schedule.num_tokens,
            config["width"] // config["num_heads"],
            weight.dtype,
            weight.device,
        )

    def hidden_states(
        self,
        inputs: Tensor,
        condition: EmbeddedCondition,
        mask: Tensor | BlockCausal | None,
        backend: str = "auto",
        branch_factors: Tensor | None = None,
    ) -> Tensor:
        """Teacher-forced states before the head, for training and as the slow twin of drawing.

        Args:
            inputs: next-scale inputs of scales 2 to k, (B, M - N_1, D).
            condition: what `embed` derived for the B rows.
            mask: (P + M, P + M) bool, True where attending is allowed (see `block_causal_mask`),
                or `block_causal(k)`, which brings its own kernel.
            backend: attention kernel under such a mask.
            branch_factors: (depth, 2, B, 1, 1) factors on the residual branches, or None.

        Returns:
            (B, M, C), ready for `logits`.
        """
        inputs = inputs.to(self.head.weight.dtype)
        hidden = torch.cat((self._first_input(condition), self.input_proj(inputs)), dim=1)
        hidden = hidden + self._places()[:, : hidden.shape[1]]
        hidden = self._with_prefix(hidden, condition)
        blocks = zip(self.each_block(), condition.blocks, strict=True)
        for index, (block, parts) in enumerate(blocks):
            factors = None if branch_factors is None else branch_factors[index]
            arguments = (hidden, parts, mask, None, index, backend, factors)
            if self.gradient_checkpointing and torch.is_grad_enabled():
                run = cast("Callable[..., Tensor]", self._gradient_checkpointing_func)
                hidden = run(block, *arguments)
            else:
                hidden = block(*arguments)
        return self._final(hidden[:, self.num_prefix :], condition)

    def forward(self, inputs: Tensor, condition: Condition, backend: str = "auto") -> Tensor:
        """Teacher-forced logits of all scales.

        Args:
            inputs: next-scale inputs of scales 2 to K, (B, L - N_1, D).
            condition: B rows.
            backend: attention kernel.

        Returns:
            (B, L, V) float32.
        """
        mask = block_causal_mask(self.schedule, self.num_prefix).to(inputs.device)
        return self.logits(self.hidden_states(inputs, self.embed(condition), mask, backend))

    def first_logits(self, inputs: Tensor, condition: Condition, num_scales: int) -> Tensor:
        """Teacher-forced logits of the first scales.

        Args:
            inputs: next-scale inputs of scales 2 to k, (B, M - N_1, D).
            condition: B rows.
            num_scales: number of scales (k).

        Returns:
            (B, M, V) float32.
        """
        attention = self.block_causal(num_scales)
        return self.logits(self.hidden_states(inputs, self.embed(condition), attention))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all codes: states (B, N, C) -> (B, N, V) float32."""
        return self.head(hidden).float()

    def predict_scale(
        self,
        inputs: Tensor,
        condition: EmbeddedCondition,
        scale_index: int,
        cache: KVCache,
        backend: str = "auto",
    ) -> Tensor:
        """Run the blocks on one scale, coarse scales coming from the cache, which it fills.

        Args:
            inputs: next-scale inputs of this scale, (B, N, D); not used for scale 0, which starts
                from the condition alone.
            condition: what `embed` derived for the B rows.
            scale_index: the scale to predict; all coarser ones must have been run.
            cache: cache that `new_cache(B)` made.
            backend: attention kernel.

        Returns:
            States (B, N, C) for `logits`. No mask is needed: a scale sees itself and all before.
        """
        if scale_index == 0:
            hidden = self._first_input(condition)
        else:
            hidden = self.input_proj(inputs.to(self.head.weight.dtype))
        places = self.pos_embed[:, self.schedule.token_range(scale_index)]
        hidden = hidden + (places + self.scale_embed.weight[scale_index])
        if scale_index == 0:
            hidden = self._with_prefix(hidden, condition)
        blocks = zip(self.each_block(), condition.blocks, strict=True)
        for index, (block, parts) in enumerate(blocks):
            hidden = block(hidden, parts, None, cache, index, backend)
        if scale_index == 0:
            hidden = hidden[:, self.num_prefix :]
        return self._final(hidden, condition)

    def _places(self) -> Tensor:
        """Position and scale embedding of every token, (1, L, C)."""
        counts = torch.tensor(self.schedule.sizes).to(self.pos_embed.device)
        return self.pos_embed + self.scale_embed.weight.repeat_interleave(
            counts, dim=0, output_size=self.schedule.num_tokens
        )

    def _first_input(self, condition: EmbeddedCondition) -> Tensor:
        """Input of scale 0: embedded condition and start embedding, (B, N_1, C)."""
        return condition.embedding.unsqueeze(1) + self.start_embed

    def _with_prefix(self, hidden: Tensor, condition: EmbeddedCondition) -> Tensor:
        """Phrases in front: (B, N, C) -> (B, P + N, C)."""
        if condition.prefix is None:
            return hidden
        return torch.cat((condition.prefix, hidden), dim=1)

    def _final(self, hidden: Tensor, condition: EmbeddedCondition) -> Tensor:
        """The norm before the head: (B, N, C) -> (B, N, C)."""
        eps = self.config["norm_eps"]
        return modulate(hidden, condition.head_scale, condition.head_shift, eps)
