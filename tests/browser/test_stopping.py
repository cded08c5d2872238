"""What was stopped before it began: nothing is sent, and a job that was is cancelled."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import ConsoleErrors, Service, first_lost, paint, urls_sent

pytestmark = pytest.mark.browser

UPLOAD = """async () => {
    const { uploadImage } = await load("api.js");
    try {
        await uploadImage(new File(["a"], "a.png"), () => {}, AbortSignal.abort());
    } catch (error) {
        return error.name;
    }
}"""
WAIT = """async (id) => {
    const { waitForJob } = await load("follow.js");
    return (await waitForJob(id, AbortSignal.abort(), () => {})).state;
}"""
WAIT_LATER = """async (id) => {
    const { waitForJob } = await load("follow.js");
    const end = ({ state }) => { document.body.dataset.ended = state; };
    waitForJob(id, AbortSignal.abort(), () => {}).then(end);
}"""
WAIT_THEN_STOP = """async (id) => {
    const { waitForJob } = await load("follow.js");
    const stopping = new AbortController();
    await waitForJob(id, stopping.signal, () => {});
    stopping.abort();
    await load("api.js").then(({ getJob }) => getJob(id));
}"""


def test_a_picture_of_a_stopped_upload_is_not_sent(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    sent = urls_sent(page, "POST")
    assert page.evaluate(UPLOAD) == "AbortError"
    assert sent == []


def test_a_job_that_was_stopped_while_it_was_sent_is_cancelled(
    page: Page, service: Service, pictures: Path
) -> None:
    job_id = paint(service, pictures, steps=20_000)
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    assert page.evaluate(WAIT, job_id) == "cancelled"
    assert httpx.get(f"{service.url}/v1/jobs/{job_id}", trust_env=False).json()["state"] == "cancelled"


def test_a_cancel_without_an_answer_is_repeated(
    page: Page, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    job_id = paint(service, pictures, steps=20_000)
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    lost = first_lost(page, "**/cancel")
    page.evaluate(WAIT_LATER, job_id)
    try:
        expect(page.locator("body")).to_have_attribute("data-ended", "cancelled")
    finally:
        httpx.post(f"{service.url}/v1/jobs/{job_id}/cancel", trust_env=False)
    assert len(lost) == 1


def test_a_job_that_has_ended_is_not_cancelled(page: Page, service: Service, pictures: Path) -> None:
    job_id = paint(service, pictures, steps=20_000)
    httpx.post(f"{service.url}/v1/jobs/{job_id}/cancel", trust_env=False).raise_for_status()
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    sent = urls_sent(page, "POST")
    page.evaluate(WAIT_THEN_STOP, job_id)
    assert [url for url in sent if url.endswith("/cancel")] == []
