"""Looks into networks on the page: classes as bars, what speaks for a class, maps over their picture."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.support import JOB_MS, ConsoleErrors

pytestmark = pytest.mark.browser


def choose_kind(page: Page, kind: str) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option(kind)


def choose_sample(page: Page, title: str) -> None:
    page.get_by_role("button", name=title, exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".tile progress")).to_have_count(0)


def submit(page: Page) -> None:
    page.locator("#submit").click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)


def classes(page: Page) -> Locator:
    return page.locator(".ranking").first.locator(".class-name")


def test_a_sample_is_classified_and_a_class_looked_into(page: Page) -> None:
    choose_kind(page, "classify")
    expect(page.locator("#sample-credit")).to_contain_text("CC BY 2.0")
    choose_sample(page, "Coffee")
    expect(page.locator("#samples")).to_be_hidden()
    submit(page)
    expect(classes(page)).to_have_count(5)
    expect(classes(page).first).to_have_text("espresso")
    expect(page.locator(".share-text").first).to_have_text(re.compile(r"^[5-9]\d\.\d %$"))
    expect(page.locator(".numbers")).not_to_have_attribute("open", "")
    picture, bars = page.locator(".viewer").bounding_box(), page.locator(".rankings").bounding_box()
    assert picture and bars and bars["x"] >= picture["x"] + picture["width"]

    classes(page).first.click()
    expect(page.locator(".looks-title")).to_contain_text("espresso")
    looks = page.locator(".look img")
    expect(looks).to_have_count(2)
    for look in (looks.first, looks.last):
        expect(look).to_be_visible(timeout=JOB_MS)
        expect(look).not_to_have_js_property("naturalWidth", 0)
    left, right = looks.first.bounding_box(), looks.last.bounding_box()
    assert left and right and left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]


def test_the_credit_of_a_sample_stays_with_it(page: Page) -> None:
    choose_kind(page, "saliency")
    choose_sample(page, "A flower")
    expect(page.locator("#sample-list")).to_be_hidden()
    expect(page.locator("#sample-credit")).to_have_text("Flower by vultilion, CC BY 2.0")


def test_two_networks_are_compared_and_the_clicked_one_is_looked_into(page: Page, pictures: Path) -> None:
    choose_kind(page, "classify")
    files = [pictures / "content.png", pictures / "other.png"]
    page.locator("[data-field=images] input[type=file]").set_input_files(files)
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator(".tile progress")).to_have_count(0)
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_role("textbox", name="Networks", exact=True).fill("efficientnet_lite0, palette")
    page.get_by_label("Ensemble", exact=True).select_option("compare")
    submit(page)
    rankings = page.locator(".ranking")
    expect(rankings).to_have_count(4)
    expect(rankings.nth(3).locator(".ranking-title")).to_have_text("other.png, palette")
    expect(page.locator(".viewer")).to_be_hidden()

    with page.expect_response(re.compile("/v1/occlusion$")) as answered:
        rankings.nth(3).locator(".class-name").first.click()
    uploaded = page.request.get(f"/v1/jobs/{page.url.rpartition('=')[2]}").json()["params"]["images"]
    params = json.loads(answered.value.request.post_data or "")
    assert (params["image"], params["network"]) == (uploaded[1], "palette")


def test_a_hundred_pictures_stay_usable(page: Page, pictures: Path) -> None:
    choose_kind(page, "classify")
    one = (pictures / "content.png").read_bytes()
    files = [{"name": f"{place}.png", "mimeType": "image/png", "buffer": one} for place in range(101)]
    page.locator("[data-field=images] input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator(".tile")).to_have_count(100)
    expect(page.locator("[data-field=images] .problem")).to_contain_text("At most 100")
    expect(page.locator(".tile progress")).to_have_count(0)
    tile = page.locator(".tile").first.bounding_box()
    assert tile and min(tile["width"], tile["height"]) >= 40
    height = page.locator("[data-field=images]").evaluate("field => field.offsetHeight")
    assert height < 450
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.locator("#sample-list")).to_be_visible()


def test_the_slider_lays_a_map_over_its_picture(page: Page) -> None:
    choose_kind(page, "saliency")
    choose_sample(page, "A cat")
    page.locator("[data-field=methods] input").fill("grad_cam")
    submit(page)
    slider = page.get_by_role("slider", name="How much the map covers the picture")
    expect(slider).to_be_hidden()  # the figure is no map
    page.get_by_role("button", name="grad cam", exact=True).click()
    expect(slider).to_be_visible()
    expect(page.locator(".overlay-base")).to_be_visible()
    image = page.locator(".viewer-image")
    expect(image).to_have_css("opacity", "0.6")
    slider.press("Home")
    expect(image).to_have_css("opacity", "0")
    slider.press("End")
    expect(image).to_have_css("opacity", "1")

    with page.expect_download() as download:
        page.get_by_role("link", name="maps.npz").click()
    assert download.value.suggested_filename == "Chelsea, Saliency, maps.npz"


def test_two_sources_are_refused_at_the_field(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("422", "/v1/classify")
    choose_kind(page, "classify")
    choose_sample(page, "A rocket")
    page.locator("[data-field=dataset] select").select_option("digits")
    page.locator("#submit").click()
    expect(page.locator("[data-field=dataset] .problem")).to_contain_text("There is image already")
    page.locator("[data-field=dataset] select").select_option("")
    page.get_by_role("button", name="Remove Rocket").click()
    page.locator("#submit").click()
    expect(page.locator("[data-field=images] .problem")).to_contain_text("Name a picture")
