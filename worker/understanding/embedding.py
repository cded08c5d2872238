"""Embedding: a map of a set, on which pictures that a network finds similar are neighbours.

van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008; thumbnails on a grid as in Karpathy,
"t-SNE visualization of CNN codes" (2014); neighbours of codes as in Krizhevsky, Sutskever, Hinton, "ImageNet
classification with deep convolutional neural networks" (NIPS 2012), figure 4.
"""

import json
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.embedding import ResolvedEmbedding
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.optim.pyramids.scales import resize
from worker.optim.randomness import fold_seed
from worker.understanding.codes import Codes, code_of, collect, nearest
from worker.understanding.embedding_figure import neighbors_figure, probe_figure, scatter, thumbnail_grid
from worker.understanding.layout import ROUNDS, Points, grid_size, principal_components, snap, tsne
from worker.understanding.probes import Probe, chance, held_out, probe
from worker.understanding.views import as_input, require_side

# Fewer have no neighbourhoods to show.
FEWEST = 8
# Sides in pixels of thumbnails: of sets of as many pictures at most.
THUMBNAILS = ((400, 96), (1600, 64), (10_000, 32))
# Pictures whose neighbours are drawn where there is no query.
EXAMPLES = 8


def embedding(
    params: ResolvedEmbedding,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Arrange the pictures of ``dataset`` by their codes.

    ``image`` are thumbnails on a grid, ``scatter`` the places by label, ``neighbors`` pictures (or the query
    ``image``) with the most similar ones, ``probe`` the accuracy by layer; the file ``coordinates`` has
    places, labels and neighbours of every picture. Steps are batches, then rounds of t-SNE, then layers of
    the probe.

    Raises InputError if there are too few pictures, all have one code, or a probe lacks labels.
    """
    every = inputs.members("dataset")
    members = _spaced(every, params.limit)
    layers = list(dict.fromkeys([params.layer, *(params.probe_layers or ())]))
    require_side(network, layers, params.size, compute, gradient=False)
    if len(members) < FEWEST:
        raise InputError("dataset", f"It has {len(members)} pictures: {FEWEST} at least are needed.")
    labels = [member.label for member in members]
    if params.probe_layers is not None:
        _require_labels(labels)
    thumbnail = next(side for most, side in THUMBNAILS if len(members) <= most)
    # Each round counts as much as the pictures of a fifteenth of the set.
    round_ = max(1, len(members) // ROUNDS)
    total = len(members) + ROUNDS * round_ + len(params.probe_layers or ())
    codes = yield from collect(members, network, layers, params.size, thumbnail, compute, total, resume)
    if len(codes) < FEWEST:
        raise InputError("dataset", f"{len(codes)} pictures can be decoded: {FEWEST} at least are needed.")
    kept = [members[place] for place in codes.places.tolist()]
    own = codes.layers[params.layer]
    if not bool((own != own[0]).any()):
        raise InputError("layer", f"{params.layer} says the same of all pictures: choose another layer.")
    components = principal_components(own.double().numpy(), fold_seed(params.seed))
    places = yield from _places(params, components, compute, codes, round_, total)
    probes = yield from _probed(params, codes, kept, total)
    return _outcome(params, inputs, network, compute, codes, kept, components, places, probes, len(every))


def _spaced(members: Sequence[Member], most: int) -> Sequence[Member]:
    """All members, or ``most`` of them, evenly spaced."""
    if len(members) <= most:
        return members
    return [members[place * len(members) // most] for place in range(most)]


def _require_labels(labels: Sequence[str | None]) -> None:
    counts = Counter(label for label in labels if label is not None)
    if sum(count > 1 for count in counts.values()) < 2:
        raise InputError(
            "probe",
            "A probe learns labels, and needs two at least with two pictures each: label the set, or set "
            "probe to false.",
        )


def _places(
    params: ResolvedEmbedding, components: Points, compute: Compute, codes: Codes, round_: int, total: int
) -> Generator[Step, None, Points | None]:
    """The places by t-SNE, a step for each round; None where it is not asked for."""
    if params.method != "tsne":
        return None
    latest = None
    begun = int(codes.state.values["done"])
    rounds = tsne(components, params.perplexity, fold_seed(params.seed), compute.threads)
    for number, places in enumerate(rounds, start=1):
        latest = places
        yield Step(begun + number * round_, total, losses=dict, image=None, state=lambda: codes.state)
    return latest


def _probed(
    params: ResolvedEmbedding, codes: Codes, members: Sequence[Member], total: int
) -> Generator[Step, None, dict[str, Any] | None]:
    """How well each layer knows the labels, a step for each."""
    if params.probe_layers is None:
        return None
    labelled = [place for place, member in enumerate(members) if member.label is not None]
    labels = [members[place].label or "" for place in labelled]
    _require_labels(labels)
    tested = held_out(labels, fold_seed(params.seed))
    probes: list[Probe] = []
    for number, layer in enumerate(params.probe_layers, start=1):
        probes.append(probe(layer, codes.layers[layer][labelled], labels, tested))
        done = total - len(params.probe_layers) + number
        yield Step(done, total, losses=dict, image=None, state=lambda: codes.state)
    return {
        "layers": probes,
        "labels": len(set(labels)),
        "trained_on": int((~tested).sum()),
        "tested_on": int(tested.sum()),
        "chance": chance(labels, tested),
    }


def _outcome(
    params: ResolvedEmbedding,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    codes: Codes,
    members: Sequence[Member],
    components: Points,
    places: Points | None,
    probes: dict[str, Any] | None,
    set_size: int,
) -> Outcome:
    own = codes.layers[params.layer]
    map_ = components[:, :2] if places is None else places
    rows, columns = grid_size(len(codes))
    cells = snap(map_, rows, columns)
    similar, indices = nearest(own, own, params.neighbors, leave_out_self=True)
    title = f"{network.name}, {params.layer}"
    labels = [member.label for member in members]
    method = "t-SNE" if places is not None else "principal components"
    images = {
        "image": thumbnail_grid(
            codes.thumbnails, cells, rows, columns, f"{title}: {len(codes):,} pictures by {method}"
        )
    }
    maps = ([("t-SNE", places)] if places is not None else []) + [("principal components", components[:, :2])]
    images["scatter"] = scatter(maps, labels, f"{title}: {len(codes):,} pictures")
    shown, query = codes.thumbnails, None
    if "image" in inputs:
        picture = as_input(inputs.picture("image"), params.size)
        with torch.no_grad():
            found = network.features(picture.to(compute.device), (params.layer,))[params.layer]
        cosines, ranked = nearest(own, code_of(found).cpu().float(), params.neighbors, leave_out_self=False)
        query = _neighbors(members, cosines[0], ranked[0])
        side = shown.shape[2]
        first = resize(picture, side, side).mul(255).round().byte()
        lines = [(first[0], "query", query)]
    else:
        chosen = [place * len(codes) // EXAMPLES for place in range(EXAMPLES)]
        lines = [
            (shown[place], _name(members[place]), _neighbors(members, similar[place], indices[place]))
            for place in chosen
        ]
    images["neighbors"] = neighbors_figure(lines, shown, f"{title}: nearest neighbours by cosine")
    result: dict[str, Any] = {
        "network": network.name,
        "layer": params.layer,
        "dimensions": own.shape[1],
        "pictures": len(codes),
        "set_size": set_size,
        "damaged": codes.damage.report(),
        "neighbors_of_same_label": _agreement(labels, indices),
    }
    if query is not None:
        result["query"] = [{key: each[key] for key in ("name", "label", "similarity")} for each in query]
    if probes is not None:
        layers: list[Probe] = probes.pop("layers")
        result["probe"] = [asdict(each) for each in layers]
        result["probe_summary"] = probes
        images["probe"] = probe_figure(
            layers, probes["chance"], f"{network.name}: labels of held-out pictures, read off each layer"
        )
    points = [
        {
            "name": member.name,
            "label": member.label,
            "pca": _rounded(components[place, :2]),
            **({} if places is None else {"tsne": _rounded(places[place])}),
            "cell": cells[place].tolist(),
            "neighbors": [
                [int(other), round(float(cosine), 4)]
                for cosine, other in zip(similar[place], indices[place], strict=True)
            ],
        }
        for place, member in enumerate(members)
    ]
    written = {"network": network.name, "layer": params.layer, "grid": [rows, columns], "points": points}
    data = json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode()
    return Outcome(images, result, files={"coordinates": File(data, "application/json", ".json")})


def _neighbors(members: Sequence[Member], cosines: Tensor, indices: Tensor) -> list[dict[str, Any]]:
    return [
        {
            "place": int(place),
            "name": members[int(place)].name,
            "label": members[int(place)].label,
            "similarity": float(cosine),
        }
        for cosine, place in zip(cosines, indices, strict=True)
    ]


def _agreement(labels: Sequence[str | None], indices: Tensor) -> float | None:
    """The share of labelled pictures whose nearest neighbour has their label; None: there are none."""
    pairs = [
        (label, labels[int(near[0])])
        for label, near in zip(labels, indices, strict=True)
        if label is not None
    ]
    return sum(label == near for label, near in pairs) / len(pairs) if pairs else None


def _name(member: Member) -> str:
    return member.label or member.name


def _rounded(point: Points) -> list[float]:
    return [float(each) for each in np.round(point, 4)]
