"""What a job leaves behind in the storage."""

import json

from app.jobs.claims import Claim
from app.jobs.files import attempt_folder
from app.jobs.job import Artifact, Json
from app.jobs.kinds import Params
from app.storage import Storage
from worker.inputs import Inputs
from worker.pictures import encode_png
from worker.steps import Outcome


def save_outputs(
    storage: Storage, claim: Claim, params: Params, inputs: Inputs, outcome: Outcome, recipe: Json
) -> list[Artifact]:
    """Store the pictures of an outcome, with the recipe in each, and the recipe as JSON."""
    folder = attempt_folder(claim.job.id, claim.attempt)
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
