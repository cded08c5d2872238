import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.procedural import noise
from models.procedural.backgrounds import BACKGROUNDS
from models.procedural.compose import plain_grid
from models.procedural.fields import box, capsule, cover, disc, lens, level, segments, wave
from models.procedural.hashing import cell_hash, fold, scramble, series, unit
from models.procedural.lattice import marks, voronoi
from models.procedural.palettes import dark_to_light, from_oklch, gradient, natural, parse, typical
from models.procedural.registry import Layer
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack


def _sheet(size=32, count=2, roles=4):
    x, y = plain_grid(count, size, torch.device("cpu"))
    colors = list(natural(torch.arange(count), roles)[..., None, None].unbind(1))
    return Sheet(torch.arange(count), x, y, colors)


def test_scramble_is_a_bijection_on_a_sample_and_mixes_bits():
    values = scramble(torch.arange(1 << 16))
    assert len(values.unique()) == 1 << 16
    assert values.min() >= 0 and values.max() < 2**32
    ones = sum(((values >> bit) & 1).double().mean() for bit in range(32)) / 32
    assert abs(float(ones) - 0.5) < 0.01


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 300))
def test_folded_seeds_stay_within_32_bits(seed, salt):
    assert 0 <= int(fold(torch.tensor([seed]), salt)) < 2**32


def test_series_is_uniform():
    numbers = unit(series(torch.arange(64), 3, 512))
    assert abs(float(numbers.mean()) - 0.5) < 0.01
    assert abs(float(numbers.var()) - 1 / 12) < 0.003


def test_cells_have_their_own_hash_on_both_sides_of_zero():
    column, row = torch.meshgrid(torch.arange(-40, 40), torch.arange(-40, 40), indexing="ij")
    assert len(cell_hash(column, row, torch.tensor(5)).unique()) == 6400


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_spectrum_falls_with_its_slope(slope):
    size = 128
    field = noise.spectrum(torch.arange(8), size, torch.full((8,), slope))[:, 0]
    # A window, since a crop is not periodic.
    window = torch.hann_window(size)
    power = torch.fft.fft2(field * window[:, None] * window).abs().square().mean(0)
    index = torch.fft.fftfreq(size) * size
    radius = torch.sqrt(index[:, None] ** 2 + index**2)
    radii = torch.tensor([5.0, 8.0, 12.0, 18.0, 27.0, 40.0])
    rings = torch.stack([power[(radius - r).abs() < 0.12 * r].mean() for r in radii])
    x, y = torch.log(radii), torch.log(rings.sqrt())
    measured = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert float(measured) == pytest.approx(-slope, abs=0.15)


def test_noise_is_standardised_and_seeded():
    for field in (
        noise.spectrum(torch.tensor([4, 5]), 40, torch.tensor([1.0, 1.5]))[:, 0],
        noise.diamond_square(torch.tensor([4, 5]), 40, torch.tensor([0.5, 0.6]))[:, 0],
    ):
        assert torch.allclose(field.mean((1, 2)), torch.zeros(2), atol=1e-5)
        assert torch.allclose(field.std((1, 2)), torch.ones(2), atol=1e-4)
        assert not torch.allclose(field[0], field[1], atol=0.1)


def test_rougher_terrain_has_more_fine_detail():
    rough = noise.diamond_square(torch.arange(4), 65, torch.full((4,), 0.9))
    smooth = noise.diamond_square(torch.arange(4), 65, torch.full((4,), 0.4))
    assert rough.diff(dim=-1).abs().mean() > 2 * smooth.diff(dim=-1).abs().mean()


def test_lattice_noise_meets_itself_after_its_period():
    x = torch.linspace(0, 3, 50)[None, None]
    y = torch.full_like(x, 0.3)
    seeds = torch.tensor([9])
    assert torch.allclose(noise.smooth(seeds, x, y), noise.smooth(seeds, x - 32, y + 32), atol=1e-4)


def test_labyrinth_has_bands_of_the_wanted_width():
    field = noise.labyrinth(torch.arange(6), 96, torch.full((6,), 8.0))
    crossings = (field.sign().diff(dim=-1) != 0).double().sum(-1).mean()
    # Along a random line through isotropic bands of wave number k: about k * sqrt(2) crossings.
    assert 8 < float(crossings) < 15


def test_coverage_is_one_inside_half_on_the_edge_and_zero_outside():
    distance, pixel = torch.tensor([-1.0, 0.0, 1.0]), torch.tensor(0.1)
    assert torch.equal(cover(distance, pixel), torch.tensor([1.0, 0.5, 0.0]))


def test_a_covered_disc_has_its_area():
    x, y = plain_grid(1, 64, torch.device("cpu"))
    area = cover(disc(x, y, 0.6), torch.tensor(2 / 64)).mean() * 4
    assert float(area) == pytest.approx(math.pi * 0.36, rel=2e-3)
    assert float(level(0.36 - x * x - y * y).mean() * 4) == pytest.approx(math.pi * 0.36, rel=5e-3)


def test_distances_known_by_hand():
    x, y = torch.tensor([[[3.0]]]), torch.tensor([[[4.0]]])
    assert float(disc(x, y, 1.0)) == pytest.approx(4)
    assert float(box(x, y, 1.0, 4.0)) == pytest.approx(2)
    distance, along = capsule(x, y, 0.0, 0.0, 0.0, 2.0)
    assert float(distance) == pytest.approx(math.sqrt(13))
    assert float(along) == 1
    zero = torch.zeros_like(x)
    assert float(lens(zero, zero, 1.0, 0.5)) == pytest.approx(-0.5, abs=1e-4)
    assert float(lens(torch.ones_like(x), zero, 1.0, 0.5)) == pytest.approx(0, abs=1e-4)
    assert wave(torch.tensor([0.0, 0.25, 0.5, 1.9])).tolist() == pytest.approx([0, 0.25, 0.5, 0.1])


def test_a_union_of_segments_is_the_nearest_of_them():
    x, y = plain_grid(1, 16, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    ends = torch.rand(1, 21, 4, generator=generator) * 2 - 1
    radii = torch.full((1, 21, 2), 0.05)
    expected = torch.stack([capsule(x, y, *end)[0] - 0.05 for end in ends[0]]).amin(0)
    assert torch.allclose(segments(x, y, ends, radii), expected, atol=1e-5)


def test_voronoi_finds_the_nearest_points():
    x, y = plain_grid(1, 24, torch.device("cpu"))
    x, y = x * 2, y * 2
    cells = voronoi(x, y, torch.tensor([3]), 0.8)
    points = torch.stack([x - cells.dx, y - cells.dy], -1)[0].reshape(-1, 2)
    places = torch.stack([x, y], -1)[0].reshape(-1, 2)
    # No other point of the tessellation is nearer than the one that was found.
    assert (torch.cdist(places, points).amin(1) >= cells.near.flatten() - 1e-4).all()
    assert (cells.edge >= -1e-5).all()


def test_marks_come_in_the_same_order_from_every_pixel():
    """A mark that two neighbouring cells see keeps its numbers."""
    x = torch.tensor([[[0.99, 1.01]]])
    y = torch.full_like(x, 0.5)
    seen = [(mark.a[0, 0].tolist(), mark.dx[0, 0].tolist()) for mark in marks(x, y, torch.tensor([1]))]
    left = {a[0]: dx[0] for a, dx in seen}
    right = {a[1]: dx[1] for a, dx in seen}
    shared = left.keys() & right.keys()
    assert len(shared) == 6
    assert all(right[a] - left[a] == pytest.approx(0.02, abs=1e-5) for a in shared)


def test_a_pixel_is_the_step_between_coordinates():
    x, y = plain_grid(1, 50, torch.device("cpu"))
    assert torch.allclose(
        Sheet(torch.tensor([0]), x * 3, y * 3, []).pixel, torch.tensor(3 * 2 / 50), rtol=1e-3
    )


def test_random_parameters_keep_to_their_ranges_and_go_on():
    sheet = _sheet(count=400)
    first, second = sheet.uniform(2, 5), sheet.uniform(2, 5)
    assert first.min() >= 2 and first.max() < 5
    assert not torch.equal(first, second)
    assert set(sheet.integer(3, 6).flatten().tolist()) == {3.0, 4.0, 5.0, 6.0}
    assert set(sheet.sign().flatten().tolist()) == {-1.0, 1.0}
    logs = sheet.log_uniform(1, 100)
    assert 0.4 < float((logs < 10).double().mean()) < 0.6


def test_parameters_do_not_repeat_after_a_block():
    sheet = _sheet(count=1)
    numbers = [float(sheet.uniform(0, 1)) for _ in range(200)]
    assert len(set(numbers)) == 200


def test_parsed_colors():
    assert parse("ff8000") == (1.0, 128 / 255, 0.0)


def test_oklch_white_black_and_red():
    lightness, chroma, hue = (
        torch.tensor([1.0, 0.0, 0.627955]),
        torch.tensor([0.0, 0.0, 0.257683]),
        torch.tensor(0.5102276),
    )
    colors = from_oklch(lightness, chroma, hue)
    assert torch.allclose(colors, torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]), atol=2e-3)


def test_natural_palettes_have_every_hue_and_contrast():
    palettes = natural(torch.arange(2000), 3)
    assert palettes.min() >= 0 and palettes.max() <= 1
    strongest = torch.bincount(palettes.mean(1).argmax(1), minlength=3) / 2000
    assert (strongest > 0.15).all()
    brightness = palettes.mean(-1)
    assert (brightness.amax(1) - brightness.amin(1)).median() > 0.35


def test_typical_palettes_stay_near_their_colors():
    known = torch.tensor([parse("a8462f"), parse("c9bfae")])
    drawn = typical(torch.arange(200), (("a8462f", "c9bfae"),))
    assert (drawn - known).abs().amax() < 0.35
    assert (drawn.mean(0) - known).abs().amax() < 0.03


def test_gradients_pass_through_their_colors():
    colors = list(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])[:, None, :, None, None].unbind(0))
    picture = gradient(torch.tensor([[[0.0, 0.5, 0.75, 1.0]]]), colors)[0, :, 0]
    assert picture.T.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]


def test_sorted_colors_are_the_same_colors():
    colors = [torch.tensor(c).reshape(1, 3, 1, 1) for c in ([1.0, 1, 1], [0.0, 0, 0], [0.0, 1, 0])]
    assert [c.flatten().tolist() for c in dark_to_light(colors)] == [[0, 0, 0], [0, 1, 0], [1, 1, 1]]


def test_a_stack_has_no_dark_fringes():
    """Where a shape covers half a pixel, its colour is still its own."""
    sheet = _sheet()
    stack = Stack(sheet)
    stack.glaze(torch.full((2, 3, 1, 1), 0.8), torch.full_like(sheet.x, 0.5))
    layer = stack.layer()
    assert isinstance(layer, Layer)
    assert torch.allclose(layer.picture, torch.tensor(0.8))
    stack.glaze(torch.full((2, 3, 1, 1), 0.2), torch.full_like(sheet.x, 0.5))
    layer = stack.layer()
    assert torch.allclose(layer.coverage, torch.tensor(0.75))
    assert torch.allclose(layer.picture, torch.tensor((0.5 * 0.2 + 0.25 * 0.8) / 0.75))


@pytest.mark.parametrize("paint", sorted(set(BACKGROUNDS), key=lambda paint: paint.__name__))
def test_backgrounds_fill_the_sheet(paint):
    picture = paint(_sheet())
    assert picture.shape == (2, 3, 32, 32)
    assert torch.isfinite(picture).all()
    assert picture.std() > 0.005
