"""Figures: what colors mean, and where things stand on a sheet."""

import pytest
import torch

from app.media.lettering import shorten, width_of, wrap
from worker.understanding.figures import (
    Bar,
    Panel,
    Scale,
    bar_chart,
    colorize,
    overlay,
    percent,
    scale_of,
    sheet,
    signed_scale_of,
)


def test_a_scale_ends_in_the_ends_of_viridis_and_clips_what_lies_beyond() -> None:
    colors = colorize(torch.tensor([[-5.0, 0.0, 2.0, 9.0, float("nan")]]), Scale(0, 2))
    assert colors.shape == (1, 3, 1, 5)
    # The ends of viridis as published: #440154 and #fde725.
    dark, light = torch.tensor([0x44, 0x01, 0x54]) / 255, torch.tensor([0xFD, 0xE7, 0x25]) / 255
    for place, wanted in enumerate([dark, dark, light, light, dark]):
        assert torch.allclose(colors[0, :, 0, place], wanted, atol=2 / 255)


def test_zero_has_the_neutral_color_of_a_signed_scale() -> None:
    values = torch.tensor([[-1.0, 0.0, 4.0]])
    scale = signed_scale_of(values)
    assert (scale.low, scale.high) == (-4, 4)
    low, zero, _ = colorize(values, scale)[0, :, 0].T
    assert zero.std() < 0.03 < low.std()


def test_a_map_of_zeros_has_a_scale_too() -> None:
    for scale in (scale_of(torch.zeros(2, 2)), signed_scale_of(torch.zeros(2, 2))):
        assert scale.low < scale.high
        assert colorize(torch.zeros(2, 2), scale).isfinite().all()


def test_an_overlay_shows_the_picture_in_grey_where_the_map_is_faint() -> None:
    picture = torch.tensor([0.2, 0.4, 0.9]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    values = torch.tensor([[0.0, 1.0]])
    covered = overlay(picture, values, Scale(0, 1), opacity=1.0)
    # 0.35 of the color at the low end, all of it at the high one.
    wanted = 0.65 * 0.5 + 0.35 * colorize(values, Scale(0, 1))[..., 0]
    assert torch.allclose(covered[..., 0], wanted, atol=1e-6)
    assert torch.equal(covered[..., 1], colorize(values, Scale(0, 1))[..., 1])


def test_a_sheet_has_room_for_every_panel() -> None:
    picture = torch.zeros(1, 3, 40, 40)
    one = sheet([Panel(picture)], side=64)
    titled = sheet([Panel(picture, "A title", "a caption", Scale(0, 1, "of what"))], side=64)
    two = sheet([Panel(picture), Panel(picture)], side=64, columns=2)
    assert one.shape[1] == 3 and one.min() == 0 and one[0, :, 0, 0].tolist() == [1, 1, 1]
    assert titled.shape[2] > one.shape[2] and titled.shape[3] == one.shape[3]
    assert two.shape[2] == one.shape[2] and two.shape[3] > one.shape[3] + 63
    assert (two < 0.5).all(1).sum() == 2 * 64 * 64


def test_bars_are_as_long_as_their_values() -> None:
    full, half = (bar_chart([Bar("", value, "")], width=200) for value in (1.0, 0.5))

    def length(chart: torch.Tensor) -> int:
        return int((chart[0, 0] < 0.5).any(0).sum())

    assert length(half) == pytest.approx(length(full) / 2, abs=1)


def test_text_is_shortened_and_wrapped_to_its_width() -> None:
    assert shorten("word", 12, 500) == "word"
    cut = shorten("a very long line of words", 12, 80)
    assert cut.endswith("…") and width_of(cut, 12) <= 80
    lines = wrap("one two three four five six seven eight", 12, 80, 2)
    assert len(lines) == 2 and all(width_of(line, 12) <= 80 for line in lines)
    assert wrap("", 12, 80, 2) == []


def test_small_shares_are_not_shown_as_zero() -> None:
    assert [percent(x) for x in (0, 0.0001, 0.125, 1)] == ["0.0 %", "< 0.1 %", "12.5 %", "100.0 %"]
