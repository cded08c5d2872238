import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.training.augmentation import (
    Augmentation,
    augment,
    beta,
    change_colors,
    cut_out,
    cutmix,
    jitter,
    mix,
    mixup,
    random_crops,
)

NO_TURNS = torch.zeros(64, dtype=torch.bool)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(count: int, side: int) -> torch.Tensor:
    """Pictures whose red grows to the right and whose green grows downwards."""
    along = torch.linspace(0, 255, side)
    rows, columns = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([columns, rows, torch.full_like(rows, 128)]).round().byte().expand(count, -1, -1, -1)


def test_crops_are_parts_of_the_picture_of_many_sizes() -> None:
    crops = random_crops(ramp(64, 64), 32, NO_TURNS, generator())
    assert crops.shape == (64, 3, 32, 32)
    across = (crops[:, 0].amax((1, 2)) - crops[:, 0].amin((1, 2))).square()
    assert float(across.min()) > 0.15
    assert float(across.max()) < 1.01
    assert float(across.std()) > 0.1
    torch.testing.assert_close(crops[:, 2], torch.full_like(crops[:, 2], 128 / 255))


def test_half_are_mirrored_and_none_stands_on_its_head() -> None:
    crops = random_crops(ramp(64, 64), 32, NO_TURNS, generator())
    mirrored = crops[:, 0, :, 0].mean(1) > crops[:, 0, :, -1].mean(1)
    assert 20 < int(mirrored.sum()) < 44
    assert bool((crops[:, 1, 0].mean(1) < crops[:, 1, -1].mean(1)).all())


def test_turnable_ones_are_turned_by_quarters() -> None:
    crops = random_crops(ramp(64, 64), 32, ~NO_TURNS, generator())
    upside_down = crops[:, 1, 0].mean(1) > crops[:, 1, -1].mean(1) + 0.2
    lying = (crops[:, 0, 0].mean(1) - crops[:, 0, -1].mean(1)).abs() > 0.2
    assert 8 < int(upside_down.sum()) < 28
    assert 20 < int(lying.sum()) < 44


def test_large_crops_average_what_lies_between_the_samples() -> None:
    board = (torch.arange(128)[:, None] + torch.arange(128)) % 2 * 255
    crops = random_crops(board.byte().expand(64, 3, -1, -1), 32, NO_TURNS, generator())
    assert float((crops - 0.5).abs().amax((1, 2, 3)).quantile(0.5)) < 0.01


def test_jitter_stays_in_range_and_greys_some() -> None:
    pictures = torch.rand(200, 3, 8, 8, generator=generator())
    changed = jitter(pictures, generator(1))
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    flat = jitter(torch.tensor([0.7, 0.5, 0.3]).view(1, 3, 1, 1).expand(400, 3, 8, 8), generator(1))
    grey = (flat[:, 0] - flat[:, 2]).abs().mean((1, 2)) < 0.03
    assert 5 < int(grey.sum()) < 45


def test_cutmix_mixes_targets_by_the_area() -> None:
    pictures = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 16, 16)
    mixed, targets = cutmix(pictures, torch.eye(6), generator(2))
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    for place in range(6):
        for other in range(6):
            share = float((mixed[place, 0] == other).float().mean())
            assert abs(share - float(targets[place, other])) < 1e-6
    assert int((targets > 0).sum()) > 6


ALL_AT_ONCE = Augmentation(
    flip=True, crop=0.5, shift=0.1, rotation=20, distortion=0.1, color=0.3, cutout=0.3, mixup=0.4, cutmix=1.0
)
EACH = [
    Augmentation(flip=True),
    Augmentation(crop=0.5),
    Augmentation(shift=0.2),
    Augmentation(rotation=30),
    Augmentation(distortion=0.2),
    Augmentation(color=0.5),
    Augmentation(cutout=0.4),
]


def noise(count: int, side: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator(5))


def test_no_augmentation_is_the_picture_itself() -> None:
    pictures = noise(3, 12)
    torch.testing.assert_close(
        augment(pictures, 12, Augmentation(), generator()), pictures / 255, rtol=0, atol=0
    )
    mixed, targets = mix(pictures / 255, torch.eye(3), Augmentation(), generator())
    torch.testing.assert_close(mixed, pictures / 255, rtol=0, atol=0)
    torch.testing.assert_close(targets, torch.eye(3), rtol=0, atol=0)


def test_tiny_strengths_hardly_change_a_picture() -> None:
    """The resampling itself has no offset: what it does goes to nothing with the strengths."""
    pictures = noise(3, 12)
    tiny = Augmentation(crop=1 - 1e-6, shift=1e-6, rotation=1e-5, distortion=1e-7, color=1e-6, cutout=1e-6)
    torch.testing.assert_close(augment(pictures, 12, tiny, generator()), pictures / 255, rtol=0, atol=1e-4)


@pytest.mark.parametrize("settings", EACH)
def test_each_augmentation_changes_pictures_by_the_seed_alone(settings: Augmentation) -> None:
    pictures = noise(8, 16)
    first = augment(pictures, 16, settings, generator(3))
    assert first.shape == (8, 3, 16, 16)
    assert 0 <= float(first.min()) < float(first.max()) <= 1
    assert bool(((first - pictures / 255).abs() > 0.02).any())
    torch.testing.assert_close(augment(pictures, 16, settings, generator(3)), first, rtol=0, atol=0)
    assert not torch.equal(augment(pictures, 16, settings, generator(4)), first)


@pytest.mark.parametrize("settings", [*EACH, ALL_AT_ONCE])
def test_a_picture_does_not_depend_on_the_others_of_a_batch(settings: Augmentation) -> None:
    pictures = noise(6, 16)
    others = pictures.clone()
    others[1:] = 0
    first, second = (augment(each, 16, settings, generator())[0] for each in (pictures, others))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_flips_mirror_half_exactly() -> None:
    pictures = noise(64, 8)
    flipped = augment(pictures, 8, Augmentation(flip=True), generator())
    exact = pictures / 255
    mirrored = [torch.equal(found, each.flip(2)) for found, each in zip(flipped, exact, strict=True)]
    kept = [torch.equal(found, each) for found, each in zip(flipped, exact, strict=True)]
    assert 20 < sum(mirrored) < 44
    assert sum(mirrored) + sum(kept) == 64


def test_shifts_are_of_whole_pixels() -> None:
    pictures = noise(32, 16)
    shifted = augment(pictures, 16, Augmentation(shift=2 / 16), generator())
    exact = pictures / 255
    seen = set()
    for found, picture in zip(shifted, exact, strict=True):
        matches = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.allclose(found[:, 2:14, 2:14], picture[:, 2 + dy : 14 + dy, 2 + dx : 14 + dx], atol=1e-4)
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) > 8


def test_crops_show_no_less_than_the_least_share() -> None:
    """The ramp's range says how much of the width and of the height is shown."""
    crops = augment(ramp(64, 64), 32, Augmentation(crop=0.5), generator())
    wide = (crops[:, 0].amax((1, 2)) - crops[:, 0].amin((1, 2))) * 32 / 31
    high = (crops[:, 1].amax((1, 2)) - crops[:, 1].amin((1, 2))) * 32 / 31
    area = wide * high
    assert 0.47 < float(area.min()) < 0.6
    assert 0.9 < float(area.max()) < 1.03
    aspect = wide / high
    assert 0.7 < float(aspect.min()) < 0.9
    assert 1.1 < float(aspect.max()) < 1.4


def test_rotations_are_about_the_middle_by_no_more_than_was_asked() -> None:
    turned = augment(ramp(64, 65), 65, Augmentation(rotation=30), generator())
    middle = turned[:, :2, 32, 32]
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5), rtol=0, atol=0.01)
    right, below = (
        (turned[:, 0, 32, 40] - turned[:, 0, 32, 24]),
        (turned[:, 1, 32, 40] - turned[:, 1, 32, 24]),
    )
    degrees = torch.atan2(below, right).rad2deg()
    assert 20 < float(degrees.abs().max()) < 31
    assert float(degrees.min()) < -10 < 10 < float(degrees.max())


def test_distortion_moves_corners_by_no_more_than_was_asked() -> None:
    changed = augment(ramp(64, 65), 65, Augmentation(distortion=0.1), generator())
    for row, column in ((0, 0), (0, 64), (64, 0), (64, 64)):
        moved = changed[:, :2, row, column] - torch.tensor([column / 64, row / 64])
        # Reflection keeps what leaves the picture within it.
        assert float(moved.abs().max()) < 0.13
        assert float(moved.abs().max()) > 0.05


def test_large_pictures_are_scaled_down_without_aliasing() -> None:
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255).byte().expand(4, 3, -1, -1)
    for chosen in (Augmentation(), Augmentation(rotation=10)):
        small = augment(board, 32, chosen, generator())
        assert float((small - 0.5).abs()[:, :, 4:-4, 4:-4].max()) < 0.05


def test_light_changes_leave_grey_pictures_with_a_cast() -> None:
    grey = torch.full((64, 3, 4, 4), 0.5)
    changed = change_colors(grey, 0.4, generator())
    torch.testing.assert_close(changed, changed[:, :, :1, :1].expand_as(changed))
    offsets = changed[:, :, 0, 0] - 0.5
    assert float(offsets.abs().max()) <= 0.4 * (0.5 + 0.25) + 1e-6
    assert float((offsets.amax(1) - offsets.amin(1)).max()) > 0.05


def test_cutouts_are_grey_squares() -> None:
    cut = cut_out(torch.ones(64, 3, 20, 20), 0.5, generator())
    grey = (cut == 0.5).all(1)
    assert bool(((cut == 0.5) | (cut == 1)).all())
    areas = grey.sum((1, 2))
    assert int(areas.max()) == 100
    assert int(areas.min()) > 0
    rows, columns = grey.any(2).sum(1), grey.any(1).sum(1)
    torch.testing.assert_close(rows * columns, areas)


def test_mixup_takes_shares_of_pictures_as_of_targets() -> None:
    pictures = torch.eye(6).view(6, 6, 1, 1).expand(6, 6, 2, 2)
    mixed, targets = mixup(pictures, torch.eye(6), generator(), 0.4)
    torch.testing.assert_close(mixed[:, :, 0, 0], targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert int(((targets > 0) & (targets < 1)).sum()) >= 4


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    shares = beta(alpha, 20_000, generator())
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)


def test_cutmix_with_a_small_alpha_replaces_hardly_any_or_almost_all() -> None:
    pictures, eye = torch.rand(200, 3, 32, 32, generator=generator()), torch.eye(200)
    spread = [
        float(cutmix(pictures, eye, generator(1), alpha)[1].diagonal().sub(0.5).abs().mean())
        for alpha in (0.1, 1.0, 5.0)
    ]
    assert spread[0] > spread[1] > spread[2]


@example(seed=0, alphas=(5e-324, 0.0))
@example(seed=0, alphas=(0.0, 1e-308))
@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), alphas=st.tuples(st.floats(0, 2), st.floats(0, 2)))
def test_mixed_targets_sum_to_one(seed: int, alphas: tuple[float, float]) -> None:
    settings = Augmentation(mixup=alphas[0], cutmix=alphas[1])
    mixed, targets = mix(torch.rand(5, 3, 8, 8), torch.eye(5), settings, generator(seed))
    torch.testing.assert_close(targets.sum(1), torch.ones(5))
    assert int((targets > 0).sum(1).max()) <= 2
    assert 0 <= float(mixed.min()) <= float(mixed.max()) <= 1


def test_either_way_of_mixing_is_drawn() -> None:
    pictures = torch.eye(4).view(4, 4, 1, 1).expand(4, 4, 8, 8)
    kinds = set()
    for seed in range(12):
        mixed, _ = mix(pictures, torch.eye(4), Augmentation(mixup=1.0, cutmix=1.0), generator(seed))
        kinds.add("cutmix" if bool(((mixed == 0) | (mixed == 1)).all()) else "mixup")
    assert kinds == {"cutmix", "mixup"}
