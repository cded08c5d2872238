"""What of a picture a classifier is shown, several views of it at a time."""

import torch

from worker.understanding.crops import ten_crop, views_of


def test_ten_crops_are_those_done_by_hand() -> None:
    picture = torch.arange(3 * 5 * 6).float().view(1, 3, 5, 6)
    crops = ten_crop(picture, 3)

    by_hand = [
        picture[..., 0:3, 0:3],
        picture[..., 0:3, 3:6],
        picture[..., 2:5, 0:3],
        picture[..., 2:5, 3:6],
        picture[..., 1:4, 1:4],
    ]
    assert torch.equal(crops[:5], torch.cat(by_hand))
    assert torch.equal(crops[5:], torch.cat(by_hand).flip(3))


def test_the_published_crops_are_cut_out_of_256_pixels() -> None:
    picture = torch.rand(1, 3, 256, 300)
    views = views_of(picture, 224, "ten", [1.0])
    assert torch.equal(views, ten_crop(picture, 224))
    assert torch.equal(views_of(picture, 224, "center", [1.0]), views[4:5])


def test_all_views_of_one_color_are_that_color() -> None:
    picture = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 50, 70)
    for crops, count in (("center", 2), ("ten", 20)):
        views = views_of(picture, 32, crops, [0.875, 1.5])  # type: ignore[arg-type]
        assert views.shape == (count, 3, 32, 32)
        assert torch.allclose(views, picture[..., :32, :32], atol=1e-5)


def test_a_squeezed_picture_is_whole() -> None:
    picture = torch.zeros(1, 3, 64, 256)
    picture[..., :128] = 1
    view = views_of(picture, 64, "resize", [1.0])
    assert view.shape == (1, 3, 64, 64)
    assert torch.allclose(view[..., :30], torch.ones(())) and torch.allclose(view[..., 34:], torch.zeros(()))


def test_a_larger_scale_is_a_closer_look() -> None:
    # A disc of radius 60 in 400 px, as seen by a square of 7/8, and of half of that.
    at = torch.arange(400.0) - 199.5
    disc = (at[:, None] ** 2 + at[None] ** 2 < 60**2).float().expand(1, 3, 400, 400)
    share = [float(each.mean()) for each in views_of(disc, 112, "center", [1.0, 2.0])]
    assert abs(share[1] / share[0] - 4) < 0.05
