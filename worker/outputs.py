"""What a job leaves behind in the storage."""

import json
from collections.abc import Sequence

from app.jobs.claims import Claim
from app.jobs.job import Artifact, Job, Json
from app.jobs.kinds import Params
from app.storage import Storage
from worker.inputs import Inputs
from worker.pictures import encode_png
from worker.steps import Outcome


def work_folder(job_id: str) -> str:
    """Where a job keeps what it needs only while it runs."""
    return f"jobs/{job_id}/work"


def save_outputs(
    storage: Storage, claim: Claim, params: Params, inputs: Inputs, outcome: Outcome, recipe: Json
) -> list[Artifact]:
    """Store the pictures of an outcome, with the recipe in each, and the recipe as JSON.

    They lie under the attempt's own folder, so that an attempt that lost its claim overwrites nothing.
    """
    folder = f"jobs/{claim.job.id}/{claim.attempt}"
    alphas = inputs.alphas.get(params.alpha_of or "", [])
    alpha = alphas[0] if alphas else None
    files = {
        name: (f"{name}.png", "image/png", encode_png(picture, alpha, recipe))
        for name, picture in outcome.images.items()
    }
    text = json.dumps(recipe, indent=2, sort_keys=True).encode()
    files["recipe"] = ("recipe.json", "application/json", text)
    made = []
    for name, (file_name, media_type, data) in files.items():
        key = f"{folder}/{file_name}"
        stored = storage.put(key, data)
        made.append(Artifact(claim.job.id, name, key, media_type, stored.bytes, stored.sha256))
    return made


def sweep(storage: Storage, job: Job, kept: Sequence[Artifact]) -> None:
    """Remove what an ended job no longer needs: checkpoints, previews, the files of lost attempts."""
    if not kept:
        storage.delete_prefix(f"jobs/{job.id}")
        return
    storage.delete_prefix(work_folder(job.id))
    for attempt in range(1, job.attempt):
        storage.delete_prefix(f"jobs/{job.id}/{attempt}")
