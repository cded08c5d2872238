import pytest
import torch
from torch import Tensor

from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from worker.optim.color import grey, to_oklab
from worker.synthesis.style_colors import Pictures, StyleColors, coloring
from worker.synthesis.style_masks import Masks

HOWS = ["cholesky", "pca", "symmetric", "histogram"]


def resolved(**values: object) -> ResolvedStyleTransfer:
    params = {"content": "c", "style": ["s", "t"], "style_weights": [3, 1], **values}
    return StyleTransferParams.model_validate(params).resolve(SHIPPED)


@pytest.fixture
def pictures() -> Pictures:
    def drawn(seed: int, height: int, width: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        low, high = torch.rand(2, 1, 3, 1, 1, generator=generator) * 0.4
        return low + (0.2 + high) * torch.rand(1, 3, height, width, generator=generator)

    return {"content": [drawn(1, 24, 32)], "style": [drawn(2, 16, 16), drawn(3, 20, 40)]}


def means(picture: Tensor) -> Tensor:
    return picture.mean((0, 2, 3))


def deviations(picture: Tensor) -> Tensor:
    return picture.std((0, 2, 3))


@pytest.mark.parametrize("how", HOWS)
def test_with_the_contents_colors_each_style_gets_them(pictures: Pictures, how: str) -> None:
    painted = coloring(resolved(color="content", color_match=how), pictures)

    assert painted.pictures["content"] is pictures["content"]
    for style in painted.pictures["style"]:
        assert torch.allclose(means(style), means(pictures["content"][0]), atol=0.01)
        assert torch.allclose(deviations(style), deviations(pictures["content"][0]), atol=0.01)
    # Strokes keep colors of their own.
    assert torch.equal(painted.finish(pictures["content"][0]), pictures["content"][0])


@pytest.mark.parametrize("how", HOWS)
def test_with_the_styles_colors_the_content_gets_their_blend(pictures: Pictures, how: str) -> None:
    painted = coloring(resolved(color="style", color_match=how), pictures)

    first, second = pictures["style"]
    (content,) = painted.pictures["content"]
    assert painted.pictures["style"] is pictures["style"]
    assert torch.allclose(means(content), 0.75 * means(first) + 0.25 * means(second), atol=0.01)


def test_without_a_match_pictures_stay_as_they_are(pictures: Pictures) -> None:
    for color in ("style", "content"):
        assert coloring(resolved(color=color), pictures).pictures is pictures


def test_luminance_is_painted_from_grey_pictures(pictures: Pictures) -> None:
    painted = coloring(resolved(color="luminance"), {**pictures, "init_image": pictures["content"]})

    lightness = to_oklab(pictures["content"][0])[:, 0]
    for several in painted.pictures.values():
        for picture in several:
            assert torch.allclose(picture, grey(picture), atol=1e-4)
            assert float(to_oklab(picture)[:, 0].mean()) == pytest.approx(float(lightness.mean()), abs=0.01)
    finished = painted.finish(painted.pictures["content"][0])
    assert torch.allclose(finished, pictures["content"][0], atol=2e-3)


def test_a_style_without_a_share_gives_no_color(pictures: Pictures) -> None:
    style = [grey(pictures["style"][0]), pictures["style"][1]]

    painted = coloring(resolved(style_weights=[1, 0]), {**pictures, "style": style})

    finished = painted.finish(pictures["content"][0])
    assert torch.allclose(finished, grey(finished), atol=1e-3)


@pytest.mark.parametrize("color", ["style", "content"])
def test_a_fine_style_is_whose_colors_count(pictures: Pictures, color: str) -> None:
    fine = 0.8 * pictures["style"][0].roll(1, 1)
    painted = coloring(
        resolved(color=color, color_match="symmetric", fine_style="f"), {**pictures, "fine_style": [fine]}
    )

    (content,), found = painted.pictures["content"], painted.pictures["fine_style"][0]
    assert torch.allclose(means(content), means(found), atol=0.01)
    assert (found is fine) == (color == "style")


def test_each_style_limits_the_chroma_of_its_own_region(pictures: Pictures) -> None:
    style = [grey(pictures["style"][0]), pictures["style"][1]]
    painted = coloring(resolved(), {**pictures, "style": style})
    # Of a picture whose right part, a quarter, has all the chroma that its style has.
    picture = torch.cat(
        [
            pictures["content"][0][..., :24],
            pictures["style"][1][..., :16, :8].repeat(1, 1, 2, 1)[..., :24, :],
        ],
        -1,
    )
    left = (torch.arange(32) < 24).float().expand(1, 1, 24, 32)

    finished = painted.finish(picture, Masks(styles=[left, 1 - left]))

    assert float(to_oklab(finished)[:, 1:, :, :24].abs().max()) < 1e-3
    assert torch.allclose(finished[..., 24:], picture[..., 24:], atol=0.03)
    protected = painted.finish(
        picture, Masks(styles=[left / 4, (1 - left) / 4], painted=torch.full_like(left, 0.25))
    )
    assert torch.allclose(protected, finished, atol=1e-5)


def test_what_is_not_painted_has_no_say_in_the_chroma(pictures: Pictures) -> None:
    painted = coloring(resolved(), {**pictures, "style": pictures["content"] * 2})
    (content,) = pictures["content"]
    garish = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 24, 32)
    left = (torch.arange(64) < 32).float().expand(1, 1, 24, 64)

    finished = painted.finish(torch.cat([content, garish], -1), Masks(painted=left))

    assert torch.allclose(finished[..., :32], content, atol=2e-3)


def test_a_grey_fine_style_makes_a_grey_picture(pictures: Pictures) -> None:
    fine = {"fine_style": [grey(pictures["style"][0])]}
    painted = coloring(resolved(fine_style="f"), {**pictures, **fine})

    assert float(to_oklab(painted.finish(pictures["content"][0]))[:, 1:].abs().max()) < 1e-3


def test_a_fine_style_limits_the_regions_of_all_styles_alone(pictures: Pictures) -> None:
    fine = {"fine_style": [grey(pictures["style"][0])]}
    painted = coloring(resolved(fine_style="f"), {**pictures, **fine})
    (content,) = pictures["content"]
    columns = torch.arange(32)
    regions = [(columns // 8 == part).float().expand(1, 1, 24, 32) for part in (0, 1)]

    finished = painted.finish(content, Masks(styles=regions))

    assert float(to_oklab(finished)[:, 1:, :, :16].abs().max()) < 1e-3
    assert torch.allclose(finished[..., 16:], content[..., 16:], atol=2e-3)


def test_luminance_has_a_grey_fine_style(pictures: Pictures) -> None:
    found = coloring(
        resolved(color="luminance", fine_style="f"), {**pictures, "fine_style": [pictures["style"][0]]}
    ).pictures["fine_style"][0]

    assert float(to_oklab(found)[:, 1:].abs().max()) < 1e-3
    assert torch.equal(found, coloring(resolved(color="luminance"), pictures).pictures["style"][0])


def lab_means(picture: Tensor) -> Tensor:
    return to_oklab(picture).mean((0, 2, 3))


def test_colors_move_to_those_of_all_styles_together(pictures: Pictures) -> None:
    finish = coloring(resolved(), pictures).finish
    assert isinstance(finish, StyleColors)
    (content,), (first, second) = pictures["content"], pictures["style"]

    wholly = finish.towards([first, second], 1.0, apart=False)(content)
    partly = finish.towards([first, second], 0.4, apart=False)(content)

    expected = 0.75 * lab_means(first) + 0.25 * lab_means(second)
    assert torch.allclose(lab_means(wholly), expected, atol=0.01)
    # Of the lightness: the chroma has its limit besides.
    between = 0.6 * lab_means(content)[0] + 0.4 * expected[0]
    assert float(lab_means(partly)[0]) == pytest.approx(float(between), abs=0.01)


def test_colors_of_each_region_move_to_its_own_style(pictures: Pictures) -> None:
    finish = coloring(resolved(), pictures).finish
    assert isinstance(finish, StyleColors)
    (content,), styles = pictures["content"], pictures["style"]
    before = content.clone()
    columns = torch.arange(32)
    left, right = ((columns // 12 == part).float().expand(1, 1, 24, 32) for part in (0, 1))

    finished = finish.towards(styles, 1.0, apart=True)(content, Masks(styles=[left, right]))

    assert torch.allclose(lab_means(finished[..., :12]), lab_means(styles[0]), atol=0.015)
    assert torch.allclose(lab_means(finished[..., 12:24]), lab_means(styles[1]), atol=0.015)
    assert torch.allclose(finished[..., 24:], content[..., 24:], atol=2e-3)
    assert torch.equal(content, before)


def test_what_a_mask_hides_does_not_move_colors(pictures: Pictures) -> None:
    finish = coloring(resolved(style_weights=[1, 0]), pictures).finish
    assert isinstance(finish, StyleColors)
    (content,), styles = pictures["content"], pictures["style"]
    garish = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 24, 32)
    left = (torch.arange(64) < 32).float().expand(1, 1, 24, 64)
    finish = finish.towards(styles, 1.0, apart=False)

    finished = finish(torch.cat([content, garish], -1), Masks(painted=left))

    # The last column has other neighbors.
    assert torch.allclose(finished[..., :31], finish(content)[..., :31], atol=2e-3)


def test_a_grey_style_makes_a_grey_picture_wherever_colors_move(pictures: Pictures) -> None:
    style = [grey(each) for each in pictures["style"]]
    finish = coloring(resolved(), {**pictures, "style": style}).finish
    assert isinstance(finish, StyleColors)

    finished = finish.towards(style, 0.6, apart=False)(pictures["content"][0])

    assert float(to_oklab(finished)[:, 1:].abs().max()) < 1e-3


@pytest.mark.parametrize(
    ("weights", "strength"),
    [((12, 1), 0.6), ((3, 1), 0.375), ((0.01, 1), 0.0025), ((12, 0), 0.75), ((0, 1), 0.0)],
)
def test_colors_move_by_the_weight_of_style(weights: tuple[float, float], strength: float) -> None:
    style, content = weights

    params = resolved(style_weight=style, content_weight=content)

    assert params.color_strength() == pytest.approx(strength, rel=0.01)


def test_colors_move_with_our_preset_alone() -> None:
    assert resolved(preset="gatys-2016").color_strength() == 0
