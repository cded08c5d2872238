"""Jobs that were stored by earlier versions, as they are told of."""

from fastapi.testclient import TestClient
from sqlalchemy import update

from app.database.engine import write
from app.http.services import Services
from app.jobs.tables import jobs
from tests.support.strange_pictures import plain


def test_a_job_of_before_there_were_views_tells_what_it_did(client: TestClient, services: Services) -> None:
    image = client.post("/v1/images", files={"image": plain()}).json()["id"]
    asked = {"content": image, "style": image, "size": 32}
    job = client.post("/v1/style-transfer", json=asked).json()
    assert job["params"]["views"] == ["picture", "negative"]
    stored = {name: value for name, value in job["params"].items() if name != "views"}
    with write(services.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(params=stored))
    for told in (client.get(f"/v1/jobs/{job['id']}").json(), client.get("/v1/jobs").json()["items"][0]):
        assert told["params"] == stored | {"views": ["picture"]}
