"""Results as pictures of the form: dragged, or by their buttons; and what is uploaded and unused."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import httpx
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.browser.support import (
    JOB_MS,
    ConsoleErrors,
    Service,
    choose,
    file_input,
    problem_of,
    result,
    submit,
)
from tests.support.service import wait_for

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


@pytest.mark.parametrize("url", ["http://", "http://[", "cat.jpg"])
def test_of_what_is_no_link_it_is_said_what_to_do(page: Page, url: str) -> None:
    page.goto("/")
    page.locator("[data-field=content] .drop-zone").evaluate(DROP_LINK, url)
    expect(problem_of(page, "content")).to_contain_text("Save the picture there and drop the file")


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


@pytest.fixture
def many_uploads(context: BrowserContext, service: Service) -> Iterator[list[str]]:
    """The names of 230 uploads that nothing uses, newest first: two pages and a bit."""
    names = [f"{number:03}.png" for number in range(230)]
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        for name in names:
            client.post("/v1/images", files={"image": (name, picture.getvalue())}).raise_for_status()
        yield names[::-1]
        while items := client.get("/v1/images?unused=true&limit=100").json()["items"]:
            for each in items:
                client.delete(f"/v1/images/{each['id']}").raise_for_status()


def listed(page: Page) -> list[str]:
    names = page.locator(".uploads .entry").evaluate_all("(all) => all.map(({ dataset }) => dataset.name)")
    return list(names)


def test_more_uploads_are_shown_once_and_stay(page: Page, many_uploads: list[str], pictures: Path) -> None:
    page.goto("/")
    entries = page.locator(".uploads .entry")
    more = page.get_by_role("region", name="Unused uploads").get_by_role("button", name="Show more")
    expect(entries).to_have_count(100)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "cursor=" in sent.url else None)
    more.dblclick()
    expect(entries).to_have_count(200)
    expect(more).to_be_enabled()
    assert listed(page) == many_uploads[:200]
    assert len(asked) == 1

    # One is asked of, while others come: it stays as it is.
    third = entries.nth(2)
    third.get_by_role("button", name="Delete").press("Enter")
    expect(third.get_by_role("button", name="Delete", exact=True).first).to_be_focused()
    file_input(page, "content").set_input_files(pictures / "other.png")
    expect(entries.first).to_have_attribute("data-name", "other.png")
    assert listed(page) == ["other.png", *many_uploads[:199]]
    expect(entries.nth(3).get_by_role("button", name="Delete", exact=True).first).to_be_focused()


def test_an_answer_that_comes_too_late_does_not_change_the_list(
    page: Page, many_uploads: list[str], pictures: Path
) -> None:
    held: list[Route] = []
    page.route(
        lambda url: "cursor=" in url and not held,
        lambda route: held.append(route),
    )
    page.goto("/")
    entries = page.locator(".uploads .entry")
    expect(entries).to_have_count(100)
    more = page.get_by_role("region", name="Unused uploads").get_by_role("button", name="Show more")
    more.click()
    wait_for(lambda: page.evaluate("true") and held)
    expect(more).to_be_disabled()
    file_input(page, "content").set_input_files(pictures / "other.png")
    expect(entries.first).to_have_attribute("data-name", "other.png")
    with page.expect_response(lambda answer: answer.url == held[0].request.url):
        held[0].continue_()
    expect(entries).to_have_count(200)
    assert listed(page) == ["other.png", *many_uploads[:199]]
    expect(more).to_be_enabled()
