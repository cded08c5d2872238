import torch

from worker.training.augmentation import cutmix, jitter, random_crops

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
