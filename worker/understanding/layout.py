"""Places of codes in the plane: principal components, t-SNE, and a grid without overlap."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Points = NDArray[np.float64]

# Components that t-SNE computes distances of: van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR
# 2008, section 4.2, take 30; openTSNE's guide 50.
COMPONENTS = 50
# Their section 3.4, as openTSNE has it: early exaggeration of 12 for 250 iterations, then 500.
EXAGGERATION, EARLY, LATE = 12.0, 250, 500
ROUND = 50
ROUNDS = (EARLY + LATE) // ROUND
# Cells that are assigned at once at most. The time grows with the third power: 1,250 take one second, 2,500
# eight.
BLOCK = 1600


def principal_components(codes: Points, seed: int, count: int = COMPONENTS) -> Points:
    """The first components of codes (N, C), (N, K), with K ``count`` or as many as there are."""
    from sklearn.decomposition import PCA

    count = min(count, *codes.shape)
    found: Points = PCA(count, random_state=seed % 2**32).fit_transform(codes)
    # A second coordinate of zeros where codes have one number.
    return found if count > 1 else np.pad(found, ((0, 0), (0, 1)))


def tsne(components: Points, perplexity: float, seed: int, threads: int) -> Iterator[Points]:
    """The places (N, 2) after each of ROUNDS rounds, from the first two principal components on.

    Gradients by Barnes and Hut's method (van der Maaten, "Accelerating t-SNE using tree-based algorithms",
    JMLR 2014). The same for the same seed and number of threads.
    """
    from openTSNE import TSNEEmbedding, initialization
    from openTSNE.affinity import PerplexityBasedNN

    seed %= 2**32
    affinities = PerplexityBasedNN(
        components,
        perplexity=min(perplexity, (len(components) - 1) / 3),
        method="exact",
        n_jobs=threads,
        random_state=seed,
    )
    start = initialization.rescale(components[:, :2].copy())
    embedding = TSNEEmbedding(
        start, affinities, negative_gradient_method="bh", n_jobs=threads, random_state=seed
    )
    for done in range(0, EARLY + LATE, ROUND):
        early = done < EARLY
        embedding.optimize(
            ROUND,
            exaggeration=EXAGGERATION if early else None,
            momentum=0.5 if early else 0.8,
            inplace=True,
        )
        yield np.asarray(embedding, dtype=np.float64)


def grid_size(count: int) -> tuple[int, int]:
    """Rows and columns of about a square with that many cells."""
    columns = math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


def snap(points: Points, rows: int, columns: int) -> NDArray[np.int64]:
    """A cell (row, column) for each point (N, 2) of x and y, no cell twice, as near to it as can be.

    The assignment has the least sum of squared distances (Jonker and Volgenant, 1987), where Karpathy, "t-SNE
    visualization of CNN codes" (2014), takes the nearest free cell. A grid of more than BLOCK cells is
    halved, the points are shared out by their order along it, and each half is assigned for itself.
    """
    cells = np.empty((len(points), 2), dtype=np.int64)
    _snap(points, np.arange(len(points)), (0, 0, rows, columns), cells)
    return cells


def _snap(
    points: Points, members: NDArray[np.int64], block: tuple[int, int, int, int], cells: NDArray[np.int64]
) -> None:
    """Assign the cells of a block (top, left, rows, columns) to some of the points."""
    if not len(members):
        return
    top, left, rows, columns = block
    if rows * columns <= BLOCK:
        cells[members] = _assign(points[members], rows, columns) + np.array([top, left])
        return
    axis = 0 if columns >= rows else 1
    side = max(rows, columns)
    half = side // 2
    # In proportion, which is never more than there are cells for.
    share = round(len(members) * half / side)
    order = members[np.argsort(points[members, axis], kind="stable")]
    if axis == 0:
        parts = (top, left, rows, half), (top, left + half, rows, columns - half)
    else:
        parts = (top, left, half, columns), (top + half, left, rows - half, columns)
    _snap(points, order[:share], parts[0], cells)
    _snap(points, order[share:], parts[1], cells)


def _assign(points: Points, rows: int, columns: int) -> NDArray[np.int64]:
    low, span = points.min(0), np.ptp(points, 0)
    unit = (points - low) / np.where(span > 0, span, 1.0)
    place = unit * (columns - 1, rows - 1)
    y, x = np.divmod(np.arange(rows * columns), columns)
    costs = (place[:, :1] - x) ** 2 + (place[:, 1:] - y) ** 2
    _, chosen = linear_sum_assignment(costs)
    return np.stack([y[chosen], x[chosen]], 1)
