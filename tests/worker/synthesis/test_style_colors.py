import pytest
import torch
from torch import Tensor

from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from worker.optim.color import grey, to_oklab
from worker.synthesis.style_colors import Pictures, coloring
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


def test_luminance_has_a_grey_fine_style(pictures: Pictures) -> None:
    found = coloring(
        resolved(color="luminance", fine_style="f"), {**pictures, "fine_style": [pictures["style"][0]]}
    ).pictures["fine_style"][0]

    assert float(to_oklab(found)[:, 1:].abs().max()) < 1e-3
    assert torch.equal(found, coloring(resolved(color="luminance"), pictures).pictures["style"][0])
