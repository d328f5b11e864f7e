"""The tokenizer of clips: causal in time, and one of pictures where there is nothing but one."""

import pytest
import torch

from tests.clip_models import CLIP, FRAMES, PICTURE, SIDE, make_clip_tokenizer, moving
from tests.conftest import make_tokenizer
from var_core import MultiScaleVQVAE
from var_core.tokenizer.frames import double_frames, fold_frames, stretch, unfold_frames
from var_core.tokenizer.inflation import inflate_tokenizer
from var_core.tokenizer.residual_pyramid import enlarge


@pytest.fixture(scope="module")
def tokenizer() -> MultiScaleVQVAE:
    return make_clip_tokenizer()


def test_a_single_frame_encodes_as_a_picture_bit_for_bit(tokenizer: MultiScaleVQVAE) -> None:
    picture = moving(1)[:, :, 0]
    before = make_tokenizer(PICTURE)
    ours, theirs = tokenizer.encode(picture), before.encode(picture)
    assert len(ours.token_maps) == len(PICTURE)
    for one, other in zip(ours.token_maps, theirs.token_maps, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(ours.latent, theirs.latent)
    assert torch.equal(tokenizer.decode_latent(ours.latent), before.decode_latent(theirs.latent))


def test_the_first_frame_of_a_clip_is_that_picture(tokenizer: MultiScaleVQVAE) -> None:
    clips = moving()
    whole, alone = tokenizer.encode(clips), tokenizer.encode(clips[:, :, 0])
    for ours, theirs in zip(whole.token_maps, alone.token_maps, strict=False):
        assert torch.equal(ours, theirs)
    assert torch.allclose(whole.latent[:, :, 0], alone.latent, atol=1e-5)
    first = tokenizer.decode_latent(whole.latent)[:, :, 0]
    assert torch.allclose(first, tokenizer.decode_latent(alone.latent), atol=1e-5)


def test_shapes_of_a_clip(tokenizer: MultiScaleVQVAE) -> None:
    found = tokenizer.encode(moving())
    assert tokenizer.num_frames == FRAMES and tokenizer.image_shape == (SIDE, SIDE)
    assert [tuple(tokens.shape[1:]) for tokens in found.token_maps] == list(
        tokenizer.schedule.shapes
    )
    assert found.latent.shape == (2, 8, 4, 4, 4)
    assert tokenizer(moving()).shape == (2, 3, FRAMES, SIDE, SIDE)
    sums = tokenizer.quantizer.sum_scales(found.token_maps)
    for ours, theirs in zip(sums, found.latents, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("frame", [4, 8, 12])
def test_later_frames_never_change_earlier_ones(tokenizer: MultiScaleVQVAE, frame: int) -> None:
    clips = moving()
    changed = clips.clone()
    changed[:, :, frame] = -changed[:, :, frame]
    ours, theirs = tokenizer.encode_features(clips), tokenizer.encode_features(changed)
    assert torch.equal(ours[:, :, : frame // 4], theirs[:, :, : frame // 4])
    assert not torch.allclose(ours[:, :, frame // 4], theirs[:, :, frame // 4])
    changed = ours.clone()
    changed[:, :, frame // 4] = 0
    ours, theirs = tokenizer.decode_latent(ours), tokenizer.decode_latent(changed)
    assert torch.equal(ours[:, :, : frame - 3], theirs[:, :, : frame - 3])


def test_a_clip_in_which_nothing_moves_is_its_first_frame(tokenizer: MultiScaleVQVAE) -> None:
    still = moving(1)[:, :, :1].expand(-1, -1, FRAMES, -1, -1)
    features = tokenizer.encode_features(still)
    assert torch.equal(features, features[:, :, :1].expand_as(features))
    decoded = tokenizer.decode_latent(features)
    assert torch.equal(decoded, decoded[:, :, :1].expand_as(decoded))


def test_before_training_every_fourth_frame_is_kept_as_a_picture() -> None:
    tokenizer, before = make_clip_tokenizer(is_trained=False), make_tokenizer(PICTURE)
    clips = moving()
    features = tokenizer.encode_features(clips)
    kept = before.encode_features(fold_frames(clips[:, :, ::4]))
    assert torch.allclose(features, unfold_frames(kept, 2), atol=1e-5)
    frames = tokenizer.decode_latent(features)
    pictures = before.decode_latent(kept)
    assert torch.allclose(frames[:, :, ::4], unfold_frames(pictures, 2), atol=1e-5)


def test_time_is_refined_by_nothing_before_training() -> None:
    quantizer = make_clip_tokenizer(is_trained=False).quantizer
    share = torch.randn(1, 8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    alone = quantizer.add_scale(torch.zeros(3, 8, 4, 4), fold_frames(share), 3)
    together = quantizer.add_scale(torch.zeros(1, 8, 4, 4, 4), share, 6)
    assert torch.allclose(together[0, :, 1:].transpose(0, 1), alone, atol=1e-5)


def test_frames_are_enlarged_as_pictures_and_linearly_in_time() -> None:
    maps = torch.randn(2, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    large = enlarge(maps, (4, 5, 5))
    before, after = (enlarge(maps[:, :, index], (5, 5)) for index in (0, 1))
    shares = (0.0, 0.25, 0.75, 1.0)
    for index, share in enumerate(shares):
        assert torch.allclose(large[:, :, index], torch.lerp(before, after, share), atol=1e-6)
    assert torch.equal(stretch(maps[:, :, :1], 3), maps[:, :, :1].expand(-1, -1, 3, -1, -1))


def test_doubled_frames_stay_where_they_were() -> None:
    maps = torch.randn(1, 2, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    doubled = double_frames(maps)
    assert torch.equal(doubled[:, :, ::2], maps)
    assert torch.allclose(doubled[:, :, 1], maps[:, :, :2].mean(dim=2))


@pytest.mark.parametrize("shape", [(3, 12, 8, 8), (3, 17, 8, 8), (1, 13, 8, 8), (3, 13, 8, 16)])
def test_other_clips_are_refused_with_the_lengths_there_are(
    tokenizer: MultiScaleVQVAE, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"one of 1, 5, \.\.\. 13"):
        tokenizer.encode(torch.zeros(1, *shape))


def test_a_tokenizer_of_pictures_takes_no_clips() -> None:
    with pytest.raises(ValueError, match="images must be"):
        make_tokenizer(PICTURE).encode(moving())
    with pytest.raises(ValueError, match="frame_stride must be one of 1 here, got 4"):
        MultiScaleVQVAE(PICTURE, frame_stride=4)
    with pytest.raises(ValueError, match="frame_stride must be one of 1, 2, 4, 8 here, got 3"):
        MultiScaleVQVAE(CLIP, frame_stride=3)


@pytest.mark.parametrize("sides", [PICTURE, (1, 4, (2, 4, 4))])
def test_only_clips_of_the_same_pictures_can_be_inflated_to(sides: tuple) -> None:
    with pytest.raises(ValueError, match=r"must begin with \[1, 2, 3, 4\]"):
        inflate_tokenizer(make_tokenizer(PICTURE), sides, 4, torch.Generator())


def test_a_rough_preview_has_all_frames() -> None:
    settings = {key: value for key, value in make_tokenizer().config.items() if key[0] != "_"}
    small = MultiScaleVQVAE(**settings | {"sides": CLIP, "frame_stride": 4, "sketch_width": 8})
    latent = torch.randn(1, 8, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    clip, picture = small.sketch_latent(latent), small.sketch_latent(latent[:, :, 0])
    assert clip.shape == (1, 3, FRAMES, SIDE, SIDE)
    assert torch.allclose(clip[:, :, 0], picture, atol=1e-6)
