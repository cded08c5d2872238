"""Pictures that do not load: the page says whether they were deleted, and loads the others again."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.support import ConsoleErrors, Service, file_input, first_lost, paint, result
from tests.support.service import wait_for

pytestmark = pytest.mark.browser

IS_SHOWN = "image => image.complete && image.naturalWidth > 0"


@pytest.fixture
def painted(service: Service, pictures: Path) -> str:
    """A painting that is done; its id."""
    job_id = paint(service, pictures, steps=2)

    def is_done() -> bool:
        job = httpx.get(f"{service.url}/v1/jobs/{job_id}", trust_env=False).json()
        return bool(job["state"] == "succeeded")

    wait_for(is_done)
    return job_id


def lose_file(service: Service, folder: str, name: str) -> None:
    """Delete a stored file behind the service's back: the picture answers 404 from then on."""
    (found,) = [path for path in service.data_dir.rglob(name) if folder in path.as_posix()]
    found.unlink()


def test_a_picture_that_does_not_arrive_is_loaded_again(
    page: Page, painted: str, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    page.route("**/artifacts/image*", lambda route: route.abort())
    page.goto(f"/#job={painted}")
    message = page.locator(".viewer-message")
    expect(message).to_contain_text("The service does not give this picture now.")
    expect(result(page, "succeeded")).to_be_visible()
    page.unroute("**/artifacts/image*")
    message.get_by_role("button", name="Try again").click()
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 64)
    expect(message).to_be_hidden()


def test_a_picture_that_is_there_after_all_is_shown_at_once(
    page: Page, painted: str, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    lost = first_lost(page, "**/artifacts/image*")
    page.goto(f"/#job={painted}")
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 64)
    assert len(lost) == 1


def test_a_picture_that_was_deleted_is_said_to_be(
    page: Page, service: Service, painted: str, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("404", "/artifacts/image")
    lose_file(service, painted, "image.png")
    page.goto(f"/#job={painted}")
    expect(page.locator(".viewer-message")).to_have_text("This picture was deleted.")


def test_a_picture_of_the_form_that_does_not_arrive_is_loaded_again(
    page: Page, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    console_errors.expect("404", "/v1/images/")
    page.goto("/")
    file_input(page, "content").set_input_files(pictures / "content.png")
    tile = page.locator("[data-field=content] .tile")
    expect(tile).to_have_count(1)
    expect(tile.locator("progress")).to_have_count(0)
    page.route("**/content?side=*", lambda route: route.abort())
    page.reload()
    expect(tile).to_contain_text("Not loaded.")
    page.unroute("**/content?side=*")
    tile.get_by_role("button", name="Try again").click()
    expect(tile.locator("img")).to_be_visible()
    wait_for(lambda: tile.locator("img").evaluate(IS_SHOWN))

    (unused,) = httpx.get(f"{service.url}/v1/images?unused=true", trust_env=False).json()["items"]
    httpx.delete(f"{service.url}/v1/images/{unused['id']}", trust_env=False).raise_for_status()
    # Without the browser's cache.
    page.route("**/content?side=*", lambda route: route.continue_())
    page.reload()
    expect(tile).to_contain_text("This picture was deleted.")


def test_an_original_that_was_deleted_is_said_to_be(
    page: Page, service: Service, painted: str, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("404", "/v1/images/")
    job = httpx.get(f"{service.url}/v1/jobs/{painted}", trust_env=False).json()
    lose_file(service, "images", f"{job['params']['content']}*")
    page.goto(f"/#job={painted}")
    compare = page.get_by_role("button", name="Compare with the original")
    compare.click()
    expect(page.locator(".job-problem")).to_have_text("The original was deleted.")
    expect(compare).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".divider")).to_be_hidden()


def test_a_comparison_that_was_ended_stays_ended(
    page: Page, painted: str, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    page.goto(f"/#job={painted}")
    expect(result(page, "succeeded")).to_be_visible()
    asked: list[Route] = []

    def lose_picture(route: Route) -> None:
        if route.request.resource_type == "image":
            route.abort()
        else:
            asked.append(route)

    page.route("**/content", lose_picture)
    compare = page.get_by_role("button", name="Compare with the original")
    compare.click()
    wait_for(lambda: page.evaluate("1") and asked)
    compare.click()
    with page.expect_response("**/content"):
        asked[0].continue_()
    page.wait_for_timeout(300)
    expect(page.locator(".original")).not_to_have_attribute("src", re.compile(""))
