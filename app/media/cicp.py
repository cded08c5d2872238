"""Colors by code points (ITU-T H.273), as HEIC, AVIF and PNG files have them in the place of a profile.

High dynamic range, PQ or HLG, is shown as BT.2408 places it: a diffuse white has 203 cd/m². Up to half of
that light nothing is changed; above, a shoulder lets 1000 cd/m² be white. The hue is kept.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.media.headers import Cicp, Transfer

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Chromaticities (x, y) of red, green and blue with the white of D65: H.273, table 2.
_PRIMARIES = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_WHITE = (0.3127, 0.3290)
_SRGB = 1

# BT.2408, section 2.1, in cd/m²; and the peak of the display that most is made on.
_DIFFUSE_WHITE, _PEAK = 203.0, 1000.0
_KNEE = 0.5
# Pixels that are converted at a time.
_BAND = 1 << 20


def to_srgb(colors: Floats, cicp: Cicp) -> Floats:
    """Colors (H, W, 3) in [0, 1] as sRGB in [0, 1]; what lies outside its range is clipped."""
    made = np.empty_like(colors)
    rows = max(1, _BAND // max(1, colors.shape[1]))
    for top in range(0, len(colors), rows):
        made[top : top + rows] = _convert(colors[top : top + rows], cicp)
    return made


def _convert(colors: Floats, cicp: Cicp) -> Floats:
    primaries = cicp.primaries if cicp.primaries in _PRIMARIES else _SRGB
    light = _light(np.clip(colors, 0, 1), cicp.transfer, primaries)
    if primaries != _SRGB:
        light = light @ _between(primaries, _SRGB).T.astype(np.float32)
    light = np.clip(light, 0, None)
    if cicp.transfer in (Transfer.PQ, Transfer.HLG):
        light = _with_shoulder(light)
    light = np.clip(light, 0, 1)
    curved = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return curved.astype(np.float32)


def _light(values: Floats, transfer: int, primaries: int) -> Floats:
    """Light by the transfer characteristics (H.273, table 3); 1 is a diffuse white."""
    light: NDArray[np.floating[Any]]
    match transfer:
        case Transfer.GAMMA_22:
            light = values**2.2
        case Transfer.GAMMA_28:
            light = values**2.8
        case Transfer.LINEAR:
            light = values
        case Transfer.PQ:
            power = values ** np.float32(32 / 2523)
            ratio = np.clip(power - 0.8359375, 0, None) / (18.8515625 - 18.6875 * power)
            light = ratio ** np.float32(16384 / 2610) * np.float32(10_000 / _DIFFUSE_WHITE)
        case Transfer.HLG:
            bright = (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12
            scene = np.where(values <= 0.5, values**2 / 3, bright)
            # What a display of 1000 cd/m² makes of the scene: BT.2100, table 5.
            luminance = scene @ _to_xyz(primaries)[1].astype(np.float32)
            shown = scene * np.clip(luminance, 1e-6, None)[..., None] ** np.float32(0.2)
            light = shown * np.float32(_PEAK / _DIFFUSE_WHITE)
        case _:
            # That of sRGB; and those of films (1, 6, 14, 15), which viewers show by the same curve.
            light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _with_shoulder(light: Floats) -> Floats:
    """Light up to the knee as it is, above it bent, in its slope there, to reach 1 at the peak."""
    most = light.max(axis=-1, keepdims=True)
    room = _PEAK / _DIFFUSE_WHITE - _KNEE
    above, steep = np.clip((most - _KNEE) / room, 0, 1), room / (1 - _KNEE)
    bent = _KNEE + (1 - _KNEE) * above * steep / (1 + (steep - 1) * above)
    bent_by: Floats = np.where(most > _KNEE, bent / np.maximum(most, _KNEE), 1).astype(np.float32)
    return light * bent_by


@cache
def _between(source: int, target: int) -> Matrix:
    """The matrix (3, 3) from linear RGB of some primaries to that of others."""
    return np.linalg.inv(_to_xyz(target)) @ _to_xyz(source)


@cache
def _to_xyz(primaries: int) -> Matrix:
    """The matrix (3, 3) from linear RGB to XYZ, whose rows of white sum to its XYZ."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _WHITE
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
