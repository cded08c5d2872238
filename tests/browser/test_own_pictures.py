"""Results as pictures of the form: dragged, or by their buttons; and what is uploaded and unused."""

import re
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.support import JOB_MS, ConsoleErrors, choose, file_input, problem_of, result, submit

pytestmark = pytest.mark.browser

DROP_LINK = """(target, url) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData("text/uri-list", url);
    for (const type of ["dragenter", "dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
}"""


def tile(page: Page, field: str) -> Locator:
    return page.locator(f"[data-field={field}] .tile img")


def painted(page: Page, pictures: Path) -> str:
    """A finished painting in view; its job's id."""
    choose(page, pictures, size=48)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    return page.url.rpartition("job=")[2]


def source_of(job_id: str) -> re.Pattern[str]:
    return re.compile(rf"/v1/jobs/{job_id}/artifacts/image\?side=320$")


def test_a_result_is_dragged_into_the_form(page: Page, pictures: Path) -> None:
    # High enough for the form, all of it, and the gallery: a drag does not scroll.
    page.set_viewport_size({"width": 1280, "height": 6000})
    job_id = painted(page, pictures)
    page.locator(".viewer-image").drag_to(page.locator("[data-field=content] .drop-zone"))
    expect(tile(page, "content")).to_have_attribute("src", source_of(job_id))
    expect(page.locator(".drag-over")).to_have_count(0)
    page.locator("#gallery-list a").first.drag_to(page.locator("[data-field=style] .drop-zone"))
    expect(tile(page, "style").last).to_have_attribute("src", source_of(job_id))

    with page.expect_request(lambda request: request.url.endswith("/v1/style-transfer")) as sent:
        submit(page)
    params = sent.value.post_data_json
    assert params["content"] == f"{job_id}/image" and params["style"][-1] == f"{job_id}/image"
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)


def test_a_result_is_used_by_its_buttons(page: Page, pictures: Path) -> None:
    job_id = painted(page, pictures)
    for field in ("content", "style"):
        page.get_by_role("button", name=f"Use as {field}").press("Enter")
        expect(tile(page, field)).to_have_count(1)
        expect(tile(page, field)).to_have_attribute("src", source_of(job_id))
    page.get_by_label("What to make").select_option("classify")
    page.get_by_role("button", name="Use for", exact=False).press("Enter")
    expect(tile(page, "images")).to_have_attribute("src", source_of(job_id))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://elsewhere.example/cat.jpg", "Save the picture there and drop the file"),
        ("/v1/openapi.json", "Save the picture there and drop the file"),
        ("#batch=0198c0de-0000-7000-8000-000000000000", "drop one of the results"),
        ("#job=0198c0de-0000-7000-8000-000000000000", "There is no job"),
    ],
)
def test_of_a_link_it_is_said_what_to_do(
    page: Page, console_errors: ConsoleErrors, url: str, says: str
) -> None:
    console_errors.expect("404", "/v1/jobs/0198c0de")
    page.goto("/")
    address = page.evaluate("(url) => new URL(url, location.href).href", url)
    page.locator("[data-field=content] .drop-zone").evaluate(DROP_LINK, address)
    expect(problem_of(page, "content")).to_contain_text(says)
    expect(page.locator(".drag-over")).to_have_count(0)


def test_unused_uploads_are_listed_and_deleted(
    page: Page, context: BrowserContext, pictures: Path, tmp_path: Path
) -> None:
    # Under a name that no other test uploads.
    picture = copy(pictures / "other.png", tmp_path / "unused.png")
    page.goto("/")
    file_input(page, "content").set_input_files(picture)
    shelf = page.get_by_role("region", name="Unused uploads")
    entry = shelf.locator(".entry", has_text="unused.png")
    expect(entry).to_contain_text("160 × 120")
    expect(entry.locator("img")).to_be_attached()
    entry.get_by_role("button", name="Delete").click()
    entry.get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)
    # The form has it no more, and it can be chosen again.
    expect(tile(page, "content")).to_have_count(0)
    file_input(page, "content").set_input_files(picture)
    expect(entry).to_have_count(1)
    shelf.get_by_role("button", name="Delete all of them").click()
    shelf.get_by_role("button", name="Delete", exact=True).last.click()
    expect(shelf.get_by_role("status")).to_contain_text("None")
    assert context.request.get("/v1/images?unused=true").json()["items"] == []
