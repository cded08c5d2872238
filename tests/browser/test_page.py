"""The page as a person uses it: a real Chromium, the real service, a real worker."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, Response, expect

from app.media.stills import read_header
from tests.browser.support import ConsoleErrors, Service
from tests.support.clips import gif
from tests.support.heics import heic

pytestmark = pytest.mark.browser

JOB_MS = 120_000
JOB_ADDRESS = re.compile(r"#job=[\w-]+$")


def file_input(page: Page, field: str) -> Locator:
    return page.locator(f"[data-field={field}] input[type=file]")


def problem_of(page: Page, field: str) -> Locator:
    return page.locator(f"[data-field={field}] .problem")


def result(page: Page, state: str) -> Locator:
    return page.locator(f"#result[data-state={state}]")


def choose(page: Page, pictures: Path, *, size: int = 64, steps: int = 4, address: str = "/") -> None:
    """Open the page and fill in the form for a small painting."""
    page.goto(address)
    file_input(page, "content").set_input_files(pictures / "content.png")
    file_input(page, "style").set_input_files(pictures / "style.png")
    page.get_by_label("Size", exact=True).fill(str(size))
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Steps").fill(str(steps))


def submit(page: Page) -> None:
    page.get_by_role("button", name="Paint", exact=True).click()


def job_ids(context: BrowserContext) -> list[str]:
    return [job["id"] for job in context.request.get("/v1/jobs?limit=100").json()["items"]]


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


def test_a_heic_is_shown_by_a_copy_and_painted(page: Page, pictures: Path, tmp_path: Path) -> None:
    with Image.open(pictures / "content.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    (tmp_path / "IMG_1.heic").write_bytes(heic(pixels))
    choose(page, pictures)
    file_input(page, "content").set_input_files(tmp_path / "IMG_1.heic")
    tile = page.locator('[data-field="content"] .tile img')
    expect(tile).to_have_js_property("naturalWidth", 160)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Compare with the original").press("Enter")
    expect(page.locator(".original")).to_have_js_property("naturalWidth", 160)


def test_a_picture_that_moves_is_refused_when_it_is_added(page: Page, pictures: Path, tmp_path: Path) -> None:
    choose(page, pictures)
    (tmp_path / "waves.gif").write_bytes(gif())
    file_input(page, "content").set_input_files(tmp_path / "waves.gif")
    field = page.locator('[data-field="content"]')
    expect(field).to_contain_text("waves.gif moves: use a still picture, such as one of its 5 frames.")
    expect(field.locator(".tile")).to_have_count(0)


def test_tiffs_of_16_bits_are_shown_by_copies(page: Page, pictures: Path, tmp_path: Path) -> None:
    with Image.open(pictures / "content.png") as picture:
        picture.save(tmp_path / "content.tif")
    choose(page, pictures)
    file_input(page, "content").set_input_files(tmp_path / "content.tif")
    page.get_by_label("File format", exact=True).select_option("tiff")
    page.get_by_label("Bits a channel", exact=True).select_option("16")
    submit(page)

    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 64)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "Content, after Style.tiff"
    assert read_header(Path(download.value.path()).read_bytes()).bits == 16
    # The content, laid over it, is one too.
    page.get_by_role("button", name="Compare with the original").press("Enter")
    expect(page.locator(".original")).to_have_js_property("naturalWidth", 160)
    # And chosen again.
    page.reload()
    expect(page.locator("[data-field=content] .tile img")).to_have_js_property("naturalWidth", 160)


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
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    first = page.url.rpartition("job=")[2]

    page.get_by_role("button", name="Continue", exact=True).click()
    continued = page.get_by_label("Continue", exact=True)
    expect(continued).to_have_value(first)
    page.get_by_label("Style weight", exact=True).fill("60")
    page.get_by_label("Steps", exact=True).fill("2")
    with page.expect_response(lambda answer: answer.url.endswith("/v1/style-transfer")) as sent:
        page.get_by_role("button", name="Paint", exact=True).click()

    params = sent.value.json()["params"]
    assert params["continue_from"] == f"{first}/image"
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


def test_a_file_that_is_not_a_picture_is_refused_at_its_field(
    page: Page, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("415", "/v1/images")
    page.goto("/")
    file_input(page, "style").set_input_files(
        {"name": "fake.png", "mimeType": "image/png", "buffer": b"this is no picture"}
    )
    expect(problem_of(page, "style")).to_contain_text("fake.png: ")
    expect(problem_of(page, "content")).to_be_hidden()
    file_input(page, "content").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    expect(problem_of(page, "content")).to_have_text("notes.txt is not a picture.")
    file_input(page, "content").set_input_files(pictures / "content.png")
    expect(problem_of(page, "content")).to_be_hidden()
    expect(page.locator("[data-field=content] .tile")).to_have_count(1)


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


def _uploads(answer: Response, name: str) -> bool:
    """Whether this answers the upload of a file; two are on their way at a time."""
    return answer.url.endswith("/v1/images") and answer.json().get("name") == name


def test_a_picture_that_was_deleted_is_sent_again(
    page: Page, context: BrowserContext, service: Service, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/style-transfer")
    with page.expect_response(lambda answer: _uploads(answer, "content.png")) as uploaded:
        choose(page, pictures)
    deleted = uploaded.value.json()["id"]
    expect(page.locator(".tile progress")).to_have_count(0)
    context.request.delete(f"/v1/images/{deleted}", headers={"Origin": service.url})
    submit(page)
    expect(problem_of(page, "content")).to_contain_text(deleted)
    file_input(page, "content").set_input_files(pictures / "content.png")
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page: Page, pictures: Path, way: str) -> None:
    """Wherever on the page they fall: first the content, then the style."""
    page.goto("/")
    expect(page.locator(".picture-field").first).to_be_visible()
    for name in ("content", "style"):
        data = list((pictures / f"{name}.png").read_bytes())
        page.evaluate(
            """([way, name, data]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(data)], name, { type: "image/png" }));
                document.body.dispatchEvent(
                    way === "drop"
                        ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }),
                );
            }""",
            [way, f"{name}.png", data],
        )
        expect(page.locator(f"[data-field={name}] .tile img")).to_have_attribute("alt", name.title())
        expect(page.locator(f"[data-field={name}] .tile progress")).to_have_count(0)


def test_the_same_picture_is_sent_once(page: Page, pictures: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto("/")
    for field in ("content", "style"):
        file_input(page, field).set_input_files(pictures / "content.png")
        expect(page.locator(f"[data-field={field}] .tile")).to_have_count(1)
        expect(page.locator(".tile progress")).to_have_count(0)
    assert len(sent) == 1


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
