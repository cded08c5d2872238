"""The page for kinds other than style transfer: their forms and results."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.support import JOB_MS, ConsoleErrors
from tests.support import clips

pytestmark = pytest.mark.browser


def result(page: Page, state: str) -> Locator:
    return page.locator(f"#result[data-state={state}]")


def choose_kind(page: Page, kind: str) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option(kind)


def test_help_names_params_as_code(page: Page) -> None:
    choose_kind(page, "train")
    expect(page.locator("[data-field=epochs] .help code")).to_have_text("least_steps")
    expect(page.locator("[data-field=epochs] .help")).not_to_contain_text("`")


def dream(page: Page, picture: Any, **settings: str) -> None:
    """Fill in the form for a small dream, and send it."""
    choose_kind(page, "deep_dream")
    page.locator("[data-field=image] input[type=file]").set_input_files(picture)
    page.locator("#advanced").evaluate("details => { details.open = true; }")
    page.get_by_label("Network", exact=True).select_option("vgg19-random")
    usual = {"Size": "64", "Steps": "2", "Layers": "relu3_1"}
    for label, value in (usual | settings).items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Dream", exact=True).click()


def test_every_listed_kind_has_a_form(page: Page) -> None:
    page.goto("/")
    kinds = [kind for kind in page.request.get("/v1/kinds").json()["items"] if kind["listed"]]
    expect(page.locator("#kind option")).to_have_count(len(kinds))
    for kind in kinds:
        page.get_by_label("What to make").select_option(kind["kind"])
        expect(page.locator("#kind-summary")).to_have_text(kind["summary"])
        expect(page.locator("#submit")).to_have_text(kind["submit_label"])
        shown = page.locator("#job-form [data-field]").evaluate_all("all => all.map(e => e.dataset.field)")
        # A kind that takes one picture or several has one field for both.
        one = kind["arguments"][:1] if kind["arguments"] else []
        assert sorted([*shown, *one]) == sorted(kind["schema"]["properties"])


def test_a_dream_is_made_and_its_numbers_are_shown(page: Page, pictures: Path) -> None:
    dream(page, pictures / "content.png")
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".job-title")).to_have_text("Content, DeepDream")
    expect(page.locator(".viewer-image")).to_have_js_property("naturalWidth", 64)
    expect(page.locator(".views")).to_be_hidden()
    page.get_by_text("Numbers", exact=True).click()
    row = page.locator(".tables tr", has=page.get_by_text("relu3_1"))
    expect(row.locator("td")).to_have_count(3)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="JSON").click()
    job = json.loads(popup.value.locator("body").inner_text())
    assert (job["kind"], job["state"]) == ("deep_dream", "succeeded")


def test_a_zoom_is_shown_as_a_video(page: Page, pictures: Path) -> None:
    dream(page, pictures / "content.png", Frames="4", Octaves="1")
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-video")).to_be_visible()
    expect(page.locator(".viewer-video")).to_have_js_property("videoWidth", 64)
    expect(page.locator(".view")).to_have_count(2)
    page.get_by_role("button", name="image").press("Enter")
    expect(page.locator(".viewer-image")).to_be_visible()
    expect(page.locator(".viewer-video")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    with Image.open(io.BytesIO(download.value.path().read_bytes())) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 48))


@pytest.mark.parametrize("kind", ["video/mp4", "image/gif"])
def test_a_dream_of_a_clip_is_a_video(page: Page, kind: str) -> None:
    data = clips.mp4(3, size=(64, 48)) if kind == "video/mp4" else clips.gif(3, size=(64, 48))
    dream(page, {"name": "waves", "mimeType": kind, "buffer": data}, Octaves="1")
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".viewer-video")).to_have_js_property("videoWidth", 64)
    page.get_by_text("Numbers", exact=True).click()
    frames = page.locator(".tables tr", has=page.get_by_role("rowheader", name="frames"))
    expect(frames.locator("td")).to_have_text("3")


def test_a_clip_is_refused_where_a_picture_is_needed(page: Page) -> None:
    choose_kind(page, "style_transfer")
    clip = {"name": "waves.mp4", "mimeType": "video/mp4", "buffer": clips.mp4()}
    page.locator("[data-field=content] input[type=file]").set_input_files(clip)
    expect(page.locator("[data-field=content] .problem")).to_have_text("waves.mp4 is not a picture.")


def test_names_of_layers_are_offered_one_after_the_other(page: Page) -> None:
    choose_kind(page, "deep_dream")
    page.locator("#advanced").evaluate("details => { details.open = true; }")
    page.get_by_label("Network", exact=True).select_option("vgg19-random")
    offered = page.locator("[data-field=layers] datalist option")
    assert "relu4_1" in offered.evaluate_all("all => all.map(option => option.value)")
    page.get_by_label("Layers", exact=True).fill("relu3_1=2, re")
    assert "relu3_1=2, relu4_1" in offered.evaluate_all("all => all.map(option => option.value)")


def test_values_stay_while_another_kind_is_chosen(page: Page, pictures: Path) -> None:
    choose_kind(page, "deep_dream")
    page.get_by_label("Strength", exact=True).fill("2.5")
    page.locator("[data-field=image] input[type=file]").set_input_files(pictures / "content.png")
    expect(page.locator(".tile progress")).to_have_count(0)
    page.get_by_label("What to make").select_option("style_transfer")
    page.get_by_label("What to make").select_option("deep_dream")
    expect(page.get_by_label("Strength", exact=True)).to_have_value("2.5")
    page.reload()
    expect(page.get_by_label("What to make")).to_have_value("deep_dream")
    expect(page.get_by_label("Strength", exact=True)).to_have_value("2.5")
    expect(page.locator("[data-field=image] .tile")).to_have_count(1)


def test_a_picture_is_copied_to_the_next_kind(page: Page, pictures: Path) -> None:
    choose_kind(page, "style_transfer")
    page.locator("[data-field=content] input[type=file]").set_input_files(pictures / "content.png")
    expect(page.locator(".tile progress")).to_have_count(0)
    page.get_by_label("What to make").select_option("deep_dream")
    expect(page.locator("[data-field=image] .tile img")).to_have_attribute("alt", "Content")


def test_settings_of_a_dream_come_back_from_another_form(page: Page, pictures: Path) -> None:
    dream(page, pictures / "content.png", Strength="2.25", Channels="3, 5")
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    page.get_by_label("What to make").select_option("style_transfer")
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("What to make")).to_have_value("deep_dream")
    expect(page.get_by_label("Strength", exact=True)).to_have_value("2.25")
    expect(page.get_by_label("Channels", exact=True)).to_have_value("3, 5")
    expect(page.get_by_label("Layers", exact=True)).to_have_value("relu3_1")


def test_an_unknown_channel_is_reported_at_its_field(
    page: Page, pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/deep-dream")
    dream(page, pictures / "content.png", Channels="99999")
    expect(page.locator("[data-field=channels] .problem")).to_contain_text("no channel 99999")


def test_a_dream_fits_on_a_phone(page: Page, pictures: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    dream(page, pictures / "content.png", Frames="2", Octaves="1")
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    page.get_by_text("Numbers", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
