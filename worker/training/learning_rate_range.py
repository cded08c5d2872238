"""A learning-rate range test as a job."""

from dataclasses import asdict, fields
from functools import partial

from app.kinds.learning_rate_range import RateRange
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.training.beginning import Begin, make_ready
from worker.training.features import feature_steps
from worker.training.fitting import make_descent
from worker.training.learning_set import decode_set, labelled_members
from worker.training.pictures import decoding_steps
from worker.training.rate_figure import rate_figure
from worker.training.rate_finder import STEPS, RatePoint, range_test, suggest
from worker.understanding.sets import Damage
from worker.understanding.tables import csv_file

COLUMNS = [field.name for field in fields(RatePoint)]


def learning_rate_range(
    params: RateRange,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Make the first steps of a training with growing learning rates, on its training part.

    The result has ``points`` and ``suggestion``: the rate in the valley, null if it diverged too early to
    say; a tenth of that of the lowest loss, which is another rule (fastai's ``minimum``); and where it
    diverged. ``image`` shows the points, the file ``points`` has them. A test that was interrupted begins
    anew. Raises InputError on ``dataset`` as a training does.
    """
    del resume
    training = params.as_training()
    members = labelled_members(inputs.members("dataset"))
    damage = Damage(members)
    decoded = decoding_steps(len(members))
    total = decoded + (0 if network is None else feature_steps(len(members))) + STEPS
    anew = partial(StepState, {}, {})
    decoding = decode_set(members, training.size, damage, compute.device)
    while True:
        try:
            done = next(decoding)
        except StopIteration as stop:
            data = stop.value
            break
        yield Step(done, total, losses=dict, image=None, state=anew)
    begin = Begin(network, None if network is None else inputs.cards[network.name])
    beginning = make_ready(training, data, begin)
    while True:
        try:
            step = next(beginning)
        except StopIteration as stop:
            ready = stop.value
            break
        yield Step(decoded + step.done, total, losses=step.losses, image=None, state=anew)
    descent = make_descent(training, ready, data, compute)
    points: list[RatePoint] = []
    for point in range_test(
        ready.model, descent.optimizer, descent.course, compute, rate=training.learning_rate
    ):
        points.append(point)
        yield Step(total - STEPS + len(points), total, losses=partial(asdict, point), image=None, state=anew)
    rate = suggest(points)
    lowest = min(points, key=lambda point: point.smoothed) if points else None
    result = {
        "suggestion": {
            "learning_rate": rate,
            "tenth_of_lowest": None if lowest is None else lowest.rate / 10,
            "diverged_at": points[-1].rate if points and len(points) < STEPS else None,
        },
        "points": [asdict(point) for point in points],
        "damaged": damage.report(),
    }
    rows = ([getattr(point, column) for column in COLUMNS] for point in points)
    return Outcome({"image": rate_figure(points, rate)}, result, files={"points": csv_file(COLUMNS, rows)})
