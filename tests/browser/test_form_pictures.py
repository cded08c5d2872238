"""The pictures that a person gives to the form: files of many formats, dropped, pasted, sent again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Response, expect

from app.media.stills import read_header
from tests.browser.support import (
    JOB_MS,
    ConsoleErrors,
    Service,
    choose,
    file_input,
    held,
    job_ids,
    paint,
    problem_of,
    result,
    submit,
    urls_sent,
)
from tests.support.clips import gif
from tests.support.heics import heic

pytestmark = pytest.mark.browser


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
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        file_input(page, "content").set_input_files(tmp_path / "waves.gif")
    field = page.locator('[data-field="content"]')
    expect(field).to_contain_text("waves.gif moves: use a still picture, such as one of its 5 frames.")
    expect(field.locator(".tile")).to_have_count(0)
    # It does not stay among the unused uploads.
    assert deleted.value.status == 204
    listed = page.request.get(page.url.partition("#")[0] + "v1/images?unused=true").json()["items"]
    assert [each["name"] for each in listed if each["name"] == "waves.gif"] == []


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


def test_a_file_that_is_not_a_picture_is_refused_at_its_field(
    page: Page, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("415", "/v1/images")
    page.goto("/")
    file_input(page, "style").set_input_files(
        {"name": "fake.png", "mimeType": "image/png", "buffer": b"not a picture"}
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
    sent = urls_sent(page, "POST")
    page.goto("/")
    for field in ("content", "style"):
        file_input(page, field).set_input_files(pictures / "content.png")
        expect(page.locator(f"[data-field={field}] .tile")).to_have_count(1)
        expect(page.locator(".tile progress")).to_have_count(0)
    assert len(sent) == 1


def test_a_picture_that_is_chosen_while_another_is_sent_is_painted(
    page: Page, pictures: Path, tmp_path: Path
) -> None:
    """The form waits for what it shows."""
    choose(page, pictures, steps=1)
    expect(page.locator(".tile progress")).to_have_count(0)
    for name in ("first", "second"):
        # Each is another one: the same is sent once.
        (tmp_path / f"{name}.png").write_bytes((pictures / "other.png").read_bytes() + name.encode())
    with held(page, "**/v1/images") as release:
        file_input(page, "content").set_input_files(tmp_path / "first.png")
        expect(page.locator(".tile progress")).to_have_count(1)
        submit(page)
        expect(page.locator("#submit")).to_have_attribute("data-busy", "Uploading")
        file_input(page, "content").set_input_files(tmp_path / "second.png")
        page.wait_for_timeout(500)
        with page.expect_request("**/v1/style-transfer") as sent:
            release()
    image = page.request.get(f"/v1/images/{sent.value.post_data_json['content']}").json()
    assert image["name"] == "second.png"


def test_samples_that_are_pressed_quickly_go_to_fields_of_their_own(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(
        "for (const button of [...document.querySelectorAll('.sample')].slice(0, 2)) button.click()"
    )
    expect(page.locator("[data-field=content] .tile")).to_have_count(1)
    expect(page.locator("[data-field=style] .tile")).to_have_count(1)


def test_the_settings_that_were_asked_for_last_are_shown(
    page: Page, service: Service, pictures: Path, context: BrowserContext
) -> None:
    for steps in (3, 5):
        paint(service, pictures, steps=steps)
    second, first = job_ids(context)[:2]
    page.goto(f"/#job={first}")
    reuse = page.get_by_role("button", name="Use these settings")
    with held(page, "**/v1/networks?sha256=*", "GET") as release:
        reuse.click()
        page.evaluate("(id) => { location.hash = `job=${id}`; }", second)
        expect(page.locator(f'[data-action="json"][href$="{second}"]')).to_have_count(1)
        # Another kind is chosen before they come.
        page.get_by_label("What to make").select_option("evaluate")
        with page.expect_response("**/v1/networks?sha256=*"):
            release()
    page.wait_for_timeout(500)
    expect(page.get_by_label("What to make")).to_have_value("evaluate")


def test_one_of_many_that_moves_is_refused_when_it_is_added(
    page: Page, pictures: Path, tmp_path: Path
) -> None:
    choose(page, pictures)
    (tmp_path / "waves.gif").write_bytes(gif())
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        file_input(page, "content").set_input_files([pictures / "content.png", tmp_path / "waves.gif"])
    field = page.locator('[data-field="content"]')
    expect(field).to_contain_text("waves.gif: It moves: use a still picture")
    assert deleted.value.status == 204
