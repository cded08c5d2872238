"""From a variant to a finished picture: viewpoint, background, instances, occlusion, light, lens."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.procedural import noise
from models.procedural.backgrounds import ROUGH, Scenery
from models.procedural.fields import box, cover, disc, rotate
from models.procedural.hashing import fold, unit
from models.procedural.palettes import blend, mixed, natural
from models.procedural.registry import Drawing, Layer, Variant
from models.procedural.sheet import Sheet

MOST_INSTANCES = 4


def plain_grid(count: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y of pixel centres over [-1, 1], (count, size, size); y downwards."""
    line = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * (2 / size) - 1
    return line[None, None, :].expand(count, size, size), line[None, :, None].expand(count, size, size)


def compose(
    drawing: Drawing,
    variant: Variant,
    seeds: Tensor,
    size: int,
    scenery: Scenery = ROUGH,
) -> Tensor:
    """Draw one picture of a class per seed, (n, 3, size, size), in a scenery."""
    inner = size * 2 if drawing.fine else size
    x, y = plain_grid(len(seeds), inner, seeds.device)
    is_typical = unit(fold(seeds, 11)) < 0.5
    view = Sheet(fold(seeds, 12), x, y, [])
    if drawing.kind == "object":
        picture = _place(drawing, variant, seeds, view, is_typical, scenery)
    else:
        colors = mixed(fold(seeds, 13), drawing.typical, is_typical)
        look = _look_at_plane if drawing.kind == "texture" else _look_at_scene
        turned = look(view, drawing.turn)
        layer = variant.draw(Sheet(fold(seeds, 14), turned.x, turned.y, colors))
        picture = layer.picture
        if drawing.kind == "texture":
            picture = _cut_out(seeds, view, picture, scenery)
    picture = _occlude(seeds, view, picture)
    if drawing.fine:
        picture = functional.avg_pool2d(picture, 2)
    return _finish(seeds, picture, scenery.clean)


def compose_background(seeds: Tensor, size: int, scenery: Scenery) -> Tensor:
    """Draw one picture of a background alone per seed, (n, 3, size, size)."""
    view = Sheet(fold(seeds, 12), *plain_grid(len(seeds), size, seeds.device), [])
    return _finish(seeds, backdrop(fold(seeds, 25), view, scenery), scenery.clean)


def _look_at_plane(view: Sheet, turn: float) -> Sheet:
    """Turn, zoom, stretch, shift, sometimes tilt and bend a plane."""
    x, y = view.x, view.y
    tilt_x = view.uniform(-0.35, 0.35) * view.chance(0.35)
    tilt_y = view.uniform(-0.35, 0.35) * view.chance(0.35)
    depth = 1 + tilt_x * x + tilt_y * y
    x, y = rotate(x / depth, y / depth, view.uniform(-turn, turn))
    zoom, stretch = view.log_uniform(0.65, 1.5), view.log_uniform(0.87, 1.15)
    x, y = x * zoom * stretch + view.uniform(-9, 9), y * zoom / stretch + view.uniform(-9, 9)
    return view.at(x, y).warped(view.uniform(0.0, 0.12) * view.chance(0.6), 1.2)


def _look_at_scene(view: Sheet, turn: float) -> Sheet:
    """Turn, zoom and shift a little; sometimes mirror."""
    x, y = rotate(view.x, view.y, view.uniform(-turn, turn))
    zoom = view.log_uniform(0.75, 1.1)
    return view.at((x * zoom + view.uniform(-0.15, 0.15)) * view.sign(), y * zoom + view.uniform(-0.1, 0.1))


def backdrop(seeds: Tensor, view: Sheet, scenery: Scenery) -> Tensor:
    """One background per picture, in natural colours; (n, 3, h, w)."""
    kinds = fold(seeds, 21) % len(scenery.backgrounds)
    picture = view.x.new_empty(len(seeds), 3, *view.x.shape[1:])
    palette = natural(fold(seeds, 22), 4)
    for kind, paint in enumerate(scenery.backgrounds):
        chosen = (kinds == kind).nonzero()[:, 0]
        if len(chosen):
            colors = list(palette[chosen][..., None, None].unbind(1))
            sheet = Sheet(fold(seeds[chosen], 23), view.x[chosen], view.y[chosen], colors)
            picture[chosen] = paint(sheet).clamp(0, 1)
    return picture


def _place(
    drawing: Drawing,
    variant: Variant,
    seeds: Tensor,
    view: Sheet,
    is_typical: Tensor,
    scenery: Scenery,
) -> Tensor:
    """One to four instances before a background, the later ones in front, each with a soft shadow."""
    picture = _soften(seeds, 24, backdrop(fold(seeds, 25), view, scenery), share=0.4, widest=2.0)
    count = 1 + (view.uniform(0, 1)[:, 0, 0] ** 2 * MOST_INSTANCES).long()
    phase, shadow_x, shadow_y = view.uniform(0, 6.28), view.uniform(-0.08, 0.08), view.uniform(0.02, 0.1)
    darkness = view.uniform(0, 0.5)
    for instance in range(MOST_INSTANCES):
        chosen = (count > instance).nonzero()[:, 0]
        if not len(chosen):
            break
        own = fold(seeds[chosen], 31 + instance)
        placing = Sheet(own, view.x[chosen], view.y[chosen], [])
        number = count[chosen, None, None]
        several = (number > 1).float()
        radius = torch.lerp(placing.log_uniform(0.55, 0.98), placing.log_uniform(0.32, 0.58), several)
        spread = torch.lerp(placing.uniform(0.0, 0.2), placing.uniform(0.35, 0.6), several)
        # Around a circle, so that several instances share the picture.
        angle = phase[chosen] + instance * (2 * math.pi) / number + placing.uniform(-0.4, 0.4)
        x, y = placing.x - spread * torch.cos(angle), placing.y - spread * torch.sin(angle)
        x, y = rotate(x, y, placing.uniform(-drawing.turn, drawing.turn))
        x, y = x / radius * placing.sign(), y / radius
        colors = mixed(fold(own, 13), drawing.typical, is_typical[chosen])
        layer = variant.draw(Sheet(fold(own, 14), x, y, colors).warped(placing.uniform(0, 0.05), 1.2, 1))
        behind = _shadow(picture[chosen], layer, shadow_x[chosen], shadow_y[chosen], darkness[chosen])
        picture[chosen] = blend(behind, layer.picture, layer.coverage)
    return picture


def _shadow(picture: Tensor, layer: Layer, x: Tensor, y: Tensor, darkness: Tensor) -> Tensor:
    """Darken a picture by the blurred, shifted coverage of a layer."""
    size = picture.shape[-1]
    small = functional.interpolate(
        layer.coverage[:, None], scale_factor=0.25, mode="area", recompute_scale_factor=False
    )
    small = functional.avg_pool2d(small, 3, 1, 1, count_include_pad=False)
    across, down = plain_grid(len(picture), size, picture.device)
    grid = torch.stack([across - x, down - y], -1)
    soft = functional.grid_sample(small, grid, padding_mode="border", align_corners=False)
    return picture * (1 - darkness * soft[:, 0])[:, None]


def _cut_out(seeds: Tensor, view: Sheet, picture: Tensor, scenery: Scenery) -> Tensor:
    """Let some textures fill only a part of the picture, before a background."""
    chosen = (unit(fold(seeds, 41)) < 0.2).nonzero()[:, 0]
    if not len(chosen):
        return picture
    own = fold(seeds[chosen], 42)
    sheet = Sheet(own, view.x[chosen], view.y[chosen], [])
    x, y = rotate(
        sheet.x + sheet.uniform(-0.3, 0.3), sheet.y + sheet.uniform(-0.3, 0.3), sheet.uniform(-3.1, 3.1)
    )
    bumpy = sheet.uniform(0, 0.25) * sheet.noise(1.5, 2)
    round_part = disc(x, y * sheet.uniform(1.0, 1.5), sheet.uniform(0.75, 1.0)) + bumpy
    half = torch.maximum(x - sheet.uniform(0.1, 0.6), box(x, y, 3.0, sheet.uniform(0.5, 1.5))) + bumpy * 0.5
    distance = torch.lerp(round_part, half, sheet.chance(0.5))
    result = picture.clone()
    result[chosen] = blend(
        backdrop(fold(own, 43), sheet, scenery), picture[chosen], cover(distance, sheet.pixel)
    )
    return result


def _occlude(seeds: Tensor, view: Sheet, picture: Tensor) -> Tensor:
    """Let something plain stand before the edge of some pictures."""
    chosen = (unit(fold(seeds, 51)) < 0.15).nonzero()[:, 0]
    if not len(chosen):
        return picture
    sheet = Sheet(fold(seeds[chosen], 52), view.x[chosen], view.y[chosen], [])
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3.1, 3.1))
    x = x - sheet.uniform(0.75, 1.1)
    blob = disc(x, y + sheet.uniform(-0.3, 0.3), sheet.uniform(0.25, 0.5))
    blob = blob + sheet.uniform(0, 0.1) * sheet.noise(2.0, 2)
    bar = box(x + sheet.uniform(0.0, 0.6), y, sheet.uniform(0.04, 0.15), 3.0)
    distance = torch.lerp(blob, bar, sheet.chance(0.4))
    colors = list(natural(fold(seeds[chosen], 53), 2)[..., None, None].unbind(1))
    cloth = blend(colors[0], colors[1], (0.4 + 0.2 * sheet.spectrum(0.8, 1.8)).clamp(0, 1))
    result = picture.clone()
    result[chosen] = blend(picture[chosen], cloth, cover(distance, sheet.pixel))
    return result


def _soften(seeds: Tensor, salt: int, picture: Tensor, share: float, widest: float) -> Tensor:
    """Blur a share of the pictures, by a deviation of up to ``widest`` pixels at 96 px."""
    scale = picture.shape[-1] / 96
    chosen = (unit(fold(seeds, salt)) < share).nonzero()[:, 0]
    if not len(chosen):
        return picture
    groups = 3 * len(chosen)
    radius = max(1, math.ceil(2.5 * widest * scale))
    sigma = (0.3 + (widest - 0.3) * unit(fold(seeds[chosen], salt + 1))) * scale
    steps = torch.arange(-radius, radius + 1, device=picture.device)
    kernel = torch.exp(-0.5 * (steps[None] / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    planes = picture[chosen].reshape(1, groups, *picture.shape[2:])
    planes = functional.pad(planes, (radius, radius, 0, 0), "replicate")
    planes = functional.conv2d(planes, kernel[:, :, None], groups=groups)
    planes = functional.pad(planes, (0, 0, radius, radius), "replicate")
    planes = functional.conv2d(planes, kernel[..., None], groups=groups)
    result = picture.clone()
    result[chosen] = planes.reshape(-1, 3, *picture.shape[2:])
    return result


def _finish(seeds: Tensor, picture: Tensor, clean: float) -> Tensor:
    """Uneven light and dirt, vignette, exposure, contrast, focus, and the grain of a sensor."""
    count, size = picture.shape[0], picture.shape[-1]
    x, y = plain_grid(count, size, picture.device)
    sheet = Sheet(fold(seeds, 61), x, y, [])
    across, _ = rotate(x, y, sheet.uniform(-3.1, 3.1))
    light = 1 + sheet.uniform(0, 0.22) * across - sheet.uniform(0, 0.15) * (x * x + y * y)
    dirty = (unit(fold(seeds, 65)) >= clean).float()[:, None, None]
    light = light + dirty * sheet.uniform(0.01, 0.06) * sheet.spectrum(0.8, 1.7)
    picture = picture * light[:, None]
    contrast, exposure = sheet.uniform(0.75, 1.15)[:, None], sheet.uniform(-0.08, 0.08)[:, None]
    picture = (picture - 0.5) * contrast + 0.5 + exposure
    picture = _soften(seeds, 62, picture, share=0.35, widest=1.0)
    strength = sheet.uniform(0, 0.025) * sheet.chance(0.6)
    grain = noise.white(fold(seeds, 64), 1, size, size) * strength[:, None]
    return (picture + grain).clamp(0, 1)
