"""The page as a person uses it: a real Chromium, the real service, a real worker."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.support import (
    JOB_MS,
    ConsoleErrors,
    Service,
    choose,
    file_input,
    job_ids,
    problem_of,
    result,
    submit,
)

pytestmark = pytest.mark.browser

JOB_ADDRESS = re.compile(r"#job=[\w-]+$")


def test_what_it_takes_is_said_beside_the_button(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=160, steps=30)
    taken = re.compile(r"^It takes about \d+ \w+ and \d+\sMB of memory, (as measured|going by)")
    expect(page.locator("#estimate")).to_have_text(taken)
    page.get_by_label("Size", exact=True).fill("8192")
    expect(problem_of(page, "size")).to_contain_text("the largest size that fits is")
    expect(page.locator("#estimate")).to_be_hidden()
    page.get_by_label("Size", exact=True).fill("160")
    expect(page.locator("#estimate")).to_have_text(taken)
    expect(problem_of(page, "size")).to_be_hidden()


def test_from_two_pictures_to_a_painting(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=160, steps=30)
    for field in ("content", "style"):
        expect(page.locator(f"[data-field={field}] .tile img")).to_have_js_property("complete", True)
    page.get_by_role("button", name="Paint", exact=True).press("Enter")

    expect(page.locator(".progress-numbers")).to_have_text(re.compile(r"^[1-9]\d* of 30 steps"))
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 160)
    expect(page.locator(".viewer-image")).to_have_js_property("naturalHeight", 120)
    expect(page.locator(".job-title")).to_have_text("Content, after Style")
    expect(page).to_have_title("Done · Impasto")
    expect(page).to_have_url(JOB_ADDRESS)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "Content, after Style.png"
    with Image.open(io.BytesIO(download.value.path().read_bytes())) as picture:
        assert (picture.format, picture.size) == ("PNG", (160, 120))
        assert picture.convert("RGB").getextrema() != ((0, 0), (0, 0), (0, 0))


def test_a_painting_is_found_again_after_a_reload(page: Page, pictures: Path) -> None:
    choose(page, pictures)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    address = JOB_ADDRESS.search(page.url)
    assert address is not None

    page.reload()
    expect(result(page, "succeeded")).to_be_visible()
    page.goto("/")
    expect(result(page, "empty")).to_be_visible()
    entry = page.locator(f'#gallery-list a[href="{address[0]}"]')
    expect(entry.locator("img")).to_have_js_property("naturalWidth", 64)
    entry.click()
    expect(result(page, "succeeded")).to_be_visible()
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 64)
    expect(entry).to_have_attribute("aria-current", "true")


def test_the_painting_is_compared_with_the_content_by_keyboard(page: Page, pictures: Path) -> None:
    choose(page, pictures)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    compare = page.get_by_role("button", name="Compare with the original")
    compare.press("Enter")
    divider = page.get_by_role("slider", name="Show the original up to here")
    expect(divider).to_be_focused()
    expect(page.locator(".original")).to_have_js_property("naturalWidth", 160)
    divider.press("Home")
    expect(page.locator(".original")).to_have_css("clip-path", "inset(0px 100% 0px 0px)")
    divider.press("End")
    expect(page.locator(".original")).to_have_css("clip-path", "inset(0px 0% 0px 0px)")
    compare.press("Enter")
    expect(page.locator(".original")).to_be_hidden()


def test_a_long_painting_is_cancelled(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=256, steps=20_000)
    submit(page)
    expect(result(page, "running")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(result(page, "cancelled")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".job-details")).to_contain_text("cancelled after")
    expect(page.locator(".progress")).to_be_hidden()


def test_two_clicks_are_one_job(page: Page, context: BrowserContext, pictures: Path) -> None:
    choose(page, pictures)
    before = set(job_ids(context))
    page.get_by_role("button", name="Paint", exact=True).dblclick()
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    assert len(set(job_ids(context)) - before) == 1


def test_settings_of_an_old_job_come_back(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=48)
    page.get_by_label("Style weight", exact=True).fill("25")
    page.get_by_label("Style layers").fill("relu1_1, relu3_1=0.5")
    page.get_by_label("Colours", exact=True).select_option("content")
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)

    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.get_by_label("Style weight", exact=True)).to_have_value("")
    expect(result(page, "succeeded")).to_be_visible()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("Style weight", exact=True)).to_have_value("25")
    expect(page.get_by_label("Size", exact=True)).to_have_value("48")
    expect(page.locator("[data-field=style_layers] input")).to_have_value("relu1_1, relu3_1=0.5")
    expect(page.locator("[data-field=color] select")).to_have_value("content")
    expect(page.locator("[data-field=content_layers] input")).to_have_value("")
    expect(page.locator("[data-field=style_weights] input")).to_have_value("")
    for field in ("content", "style"):
        expect(page.locator(f"[data-field={field}] .tile img")).to_have_js_property("complete", True)
        expect(page.locator(f"[data-field={field}] .tile-text")).to_have_count(0)


def test_a_job_is_continued_once(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=48)
    page.get_by_label("Style weight", exact=True).fill("25")
    style_size = page.get_by_label("Style size", exact=True)
    style_size.fill("32")
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    first = page.url.rpartition("job=")[2]

    page.get_by_role("button", name="Continue", exact=True).click()
    continued = page.get_by_label("Continue", exact=True)
    expect(continued).to_have_value(first)
    page.get_by_label("Style weight", exact=True).fill("60")
    page.get_by_label("Steps", exact=True).fill("2")
    # What is emptied is not that of the first job.
    expect(style_size).to_have_value("32")
    style_size.fill("")
    with page.expect_response(lambda answer: answer.url.endswith("/v1/style-transfer")) as sent:
        page.get_by_role("button", name="Paint", exact=True).click()

    params = sent.value.json()["params"]
    assert params["continue_from"] == f"{first}/image"
    assert params["style_size"] is None
    assert (params["size"], params["style_weight"], params["steps"]) == (48, 60, 2)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    # The next job begins anew.
    expect(continued).to_have_value("")


def test_the_form_survives_a_reload(page: Page, pictures: Path) -> None:
    choose(page, pictures, size=99)
    expect(page.locator(".tile progress")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Size", exact=True)).to_have_value("99")
    expect(page.locator("[data-field=content] .tile img")).to_have_attribute(
        "src", re.compile(r"^/v1/images/[\w-]+/content\?side=320$")
    )


def test_the_slider_is_relative_to_the_preset(page: Page) -> None:
    page.goto("/")
    slider = page.get_by_role("slider", name="Style weight, relative to the preset")
    number = page.get_by_label("Style weight", exact=True)
    preset = page.request.get("/v1/kinds").json()["items"][0]["presets"]["impasto"]["values"]["style_weight"]
    expect(number).to_have_attribute("placeholder", f"{preset:g}")
    slider.press("End")
    expect(number).to_have_value(f"{100 * preset:g}")
    number.fill(f"{preset / 10:g}")
    expect(slider).to_have_js_property("valueAsNumber", -1)
    page.get_by_role("button", name="Reset: Style weight").click()
    expect(number).to_have_value("")
    expect(slider).to_have_js_property("valueAsNumber", 0)


def test_a_wrong_value_is_shown_at_its_field(
    page: Page, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/style-transfer")
    page.goto("/")
    submit(page)
    for field in ("content", "style"):
        expect(problem_of(page, field)).to_have_text("Choose a picture first.")
    expect(file_input(page, "content")).to_be_focused()

    choose(page, pictures, size=3)
    submit(page)
    expect(problem_of(page, "size")).to_be_visible()
    expect(page.get_by_label("Size", exact=True)).to_be_focused()
    expect(page.get_by_label("Size", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Size", exact=True).fill("64")
    expect(problem_of(page, "size")).to_be_hidden()

    page.get_by_label("Style layers").fill("relu9_9")
    page.get_by_text("Advanced", exact=True).click()
    submit(page)
    expect(problem_of(page, "style_layers")).to_contain_text("relu9_9")
    page.get_by_label("Style layers").fill("relu1_1=much")
    submit(page)
    expect(problem_of(page, "style_layers")).to_contain_text("“much” is not a number")


def test_a_failed_job_shows_why(page: Page, pictures: Path) -> None:
    choose(page, pictures)
    file_input(page, "content").set_input_files(pictures / "broken.png")
    expect(page.locator(".tile progress")).to_have_count(0)
    submit(page)
    expect(result(page, "failed")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".job-problem")).to_contain_text("damaged")


def test_offline_nothing_is_lost(
    page: Page, context: BrowserContext, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("net::ERR_INTERNET_DISCONNECTED")
    choose(page, pictures)
    expect(page.locator(".tile progress")).to_have_count(0)
    context.set_offline(True)
    file_input(page, "content").set_input_files(pictures / "other.png")
    expect(page.locator("[data-field=content] .tile")).to_contain_text("Not sent.")
    submit(page)
    expect(problem_of(page, "content")).to_contain_text("not sent yet")
    context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-field=content] .tile-text")).to_have_count(0)
    expect(page.locator(".tile progress")).to_have_count(0)

    before = set(job_ids(context))
    context.set_offline(True)
    submit(page)
    expect(page.locator("#form-problem")).to_contain_text("does not answer")
    context.set_offline(False)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    assert len(set(job_ids(context)) - before) == 1


def test_an_unknown_job_is_reported(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("404", "/v1/jobs/nothing")
    page.goto("/#job=nothing")
    expect(page.locator(".viewer-message")).to_contain_text("There is no job nothing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone(page: Page, pictures: Path, scheme: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    choose(page, pictures)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-image")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_every_control_has_a_name(page: Page, pictures: Path) -> None:
    choose(page, pictures)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, select, button, a, img, progress")]
            .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim() ||
                node.hasAttribute("alt") || node.querySelector("img[alt]")))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.slow
def test_a_restart_of_the_service_is_survived(
    page: Page, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    """Last of this file: the service it shares goes down and comes back."""
    choose(page, pictures, size=96, steps=120)
    submit(page)
    expect(result(page, "running")).to_be_visible(timeout=JOB_MS)
    console_errors.expect("net::ERR_CONNECTION")
    console_errors.expect("503", "/v1/")
    console_errors.expect("net::ERR_INCOMPLETE_CHUNKED_ENCODING", "/events")
    service.stop()
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    service.start()
    expect(page.locator("#connection")).to_be_hidden(timeout=JOB_MS)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
