"""What a job is computed from, and what becomes of its outcome."""

from dataclasses import dataclass
from itertools import chain

from app.datasets.service import DatasetService
from app.jobs.states import State
from app.kinds import KINDS, Params
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome
from worker.datasets.members import with_datasets
from worker.networks.loading import cards_for, compute_for, further_networks, network_for
from worker.runtime.artifacts import encode, encode_recipe
from worker.runtime.claimed_job import ClaimedJob, End
from worker.runtime.context import WorkerContext
from worker.runtime.fitting import fitted
from worker.runtime.inputs import load_inputs
from worker.runtime.recipes import make_recipe


@dataclass(frozen=True)
class Loaded:
    """The resolved params of a job, its inputs, the network that it needs, and how it computes."""

    params: Params
    inputs: Inputs
    network: Network | None
    compute: Compute


def load(context: WorkerContext, job: ClaimedJob) -> Loaded:
    """Find what a job needs. Raises InputError that names the param if something is gone.

    Or if it cannot fit into the memory of this worker.
    """
    datasets = DatasetService(context.settings, context.engine, context.storage)
    params = with_datasets(datasets, KINDS[job.row.kind].load(job.row.params))
    compute = compute_for(params, context.compute)
    further = further_networks(params, compute, context.networks, job.row.further_networks)
    cards = cards_for(params, context.networks, job.row.network_sha256)
    inputs = load_inputs(datasets, params, context.settings.weights, further, cards)
    network = network_for(params, compute, context.networks, job.row.network_sha256)
    return Loaded(params, inputs, network, fitted(params, inputs, compute, context.memory_bytes))


def save(job: ClaimedJob, loaded: Loaded, outcome: Outcome, seconds: float, stack_size: int = 1) -> End:
    """Store the files of an outcome, with the recipe; how the job ends. It computed for ``seconds``."""
    recipe = make_recipe(
        loaded.params,
        loaded.inputs,
        loaded.network,
        loaded.compute,
        stack_size,
        outcome.result.get("reductions", ()),
    )
    alpha = loaded.inputs.alpha(loaded.params.keeps_alpha_of() or "")
    made = job.store(
        chain(encode(outcome, alpha, recipe, loaded.params.picture_file()), [encode_recipe(recipe)])
    )
    network = None if outcome.network is None else job.store_network(outcome.network)
    result = {**outcome.result, "compute_seconds": seconds, "recipe": recipe}
    return End(State.SUCCEEDED, made=made, result=result, progress=job.progress, network=network)
