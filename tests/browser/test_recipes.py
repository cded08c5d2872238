"""Pictures that were made with Impasto: the form offers their settings. A real Chromium, the real service."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from app.media.recipe_text import RECIPE_KEY
from tests.browser.support import JOB_MS, ConsoleErrors, Service, choose, drop, result, submit
from tests.support.service import wait_for

pytestmark = pytest.mark.browser

QUICK = {"size": 64, "steps": 3, "style_weight": 30, "color": "content"}


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[data-field={name}]")


def offer(page: Page) -> Locator:
    return page.locator("#recipe-offer")


def made_with(path: Path, recipe: Any) -> Path:
    """A picture with a recipe of anybody's in it."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(RECIPE_KEY, json.dumps(recipe))
    Image.new("RGB", (40, 30), (90, 120, 180)).save(path, pnginfo=info)
    return path


@pytest.fixture
def painted(context: BrowserContext, pictures: Path, tmp_path: Path) -> Path:
    """A painting that was downloaded."""
    job = context.request.post(
        "/v1/style-transfer",
        multipart={
            "content": {
                "name": "lake.png",
                "mimeType": "image/png",
                "buffer": (pictures / "content.png").read_bytes(),
            },
            "style": {
                "name": "waves.png",
                "mimeType": "image/png",
                "buffer": (pictures / "style.png").read_bytes(),
            },
            "params": json.dumps(QUICK),
        },
        headers={"Prefer": "wait=60"},
        timeout=JOB_MS,
    ).json()
    assert job["state"] == "succeeded", job
    path = tmp_path / "painted.png"
    path.write_bytes(context.request.get(job["artifacts"][0]["url"]).body())
    return path


def test_a_painting_that_is_dropped_gives_its_settings_and_its_pictures(page: Page, painted: Path) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option("deep_dream")
    drop(page, page.locator(".page-header"), painted)

    expect(offer(page)).to_contain_text(
        "This picture was made with Impasto: Style transfer, impasto, 3 steps"
    )
    page.get_by_role("button", name="Use its settings").click()

    expect(page.get_by_label("What to make")).to_have_value("style_transfer")
    expect(page.get_by_label("Size", exact=True)).to_have_value("64")
    expect(field(page, "style_weight").locator("input[type=number]")).to_have_value("30")
    for name, title in (("content", "Lake"), ("style", "Waves")):
        expect(field(page, name).locator(".tile img")).to_have_attribute("alt", title)
    expect(offer(page)).to_have_text("The settings are in the form.Close")
    page.get_by_text("Advanced", exact=True).click()
    expect(page.get_by_label("Steps")).to_have_value("3")
    expect(page.get_by_label("Colours", exact=True)).to_have_value("content")
    # What the preset says is left to it.
    expect(page.get_by_label("Content weight", exact=True)).to_have_value("")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    expect(offer(page)).to_be_hidden()


def test_pictures_that_were_chosen_stay(page: Page, painted: Path, pictures: Path) -> None:
    page.goto("/")
    field(page, "content").locator("input[type=file]").set_input_files(pictures / "other.png")
    field(page, "style").locator("input[type=file]").set_input_files(painted)
    page.get_by_role("button", name="Use its settings").click()

    expect(field(page, "content").locator(".tile img")).to_have_attribute("alt", "Other")
    expect(field(page, "style").locator(".tile img")).to_have_attribute("alt", "Waves")
    expect(page.get_by_label("Size", exact=True)).to_have_value("64")


def test_an_offer_ends_with_its_picture(page: Page, painted: Path) -> None:
    page.goto("/")
    chosen = field(page, "content").locator("input[type=file]")
    chosen.set_input_files(painted)
    page.get_by_role("button", name="No, thanks").click()
    expect(offer(page)).to_be_hidden()
    # It is a picture as any other.
    expect(field(page, "content").locator(".tile img")).to_have_attribute("alt", "Painted")
    page.get_by_role("button", name="Remove Painted").click()
    chosen.set_input_files(painted)
    expect(offer(page)).to_be_visible()
    page.get_by_role("button", name="Remove Painted").click()
    expect(offer(page)).to_be_hidden()


def test_strange_recipes_do_no_harm(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    chosen = field(page, "content").locator("input[type=file]")
    script = "<img src=x onerror=alert(1)>"
    wrong = {"steps": "many", "style_weights": {"a": 1}, "style_layers": 7, script: 1, "network": "of-mine"}
    recipe = {"kind": "style_transfer", "params": {"size": 96, "style": ["gone"], **wrong}}
    chosen.set_input_files(made_with(tmp_path / "strange.png", recipe))
    page.get_by_role("button", name="Use its settings").click()

    expect(page.get_by_label("Size", exact=True)).to_have_value("96")
    left = offer(page).locator("li")
    understood = f"Not understood: share of each style, steps, style layers, and “{script}”."
    expect(left).to_have_text(["Not here: style and network.", understood])
    assert offer(page).locator("img").count() == 0
    expect(field(page, "content").locator(".tile")).to_have_count(0)

    for name, recipe in (
        ("sculpted", {"kind": "sculpt", "params": {"size": 3}}),
        ("pulled", {"kind": "pull_weights", "params": {"network": "vgg19"}}),
    ):
        chosen.set_input_files(made_with(tmp_path / f"{name}.png", recipe))
        expect(offer(page)).to_contain_text(f"by “{recipe['kind']}”, which is not here")
        assert page.get_by_role("button", name="Use its settings").count() == 0
    # The form works as before.
    expect(page.get_by_label("What to make")).to_have_value("style_transfer")
    chosen.set_input_files(made_with(tmp_path / "none.png", ["no recipe"]))
    expect(field(page, "content").locator(".tile img")).to_have_attribute("alt", "None")
    expect(offer(page)).to_be_hidden()


def test_a_form_without_pictures_takes_one_for_its_settings(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option("class_visualization")
    recipe = {"kind": "class_visualization", "params": {"target": "spiral", "size": 48}}
    drop(page, page.locator(".page-header"), made_with(tmp_path / "spiral.png", recipe))

    page.get_by_role("button", name="Use its settings").click()

    expect(page.get_by_label("Size", exact=True)).to_have_value("48")


def unused(context: BrowserContext) -> list[str]:
    return [each["name"] for each in context.request.get("/v1/images?unused=true").json()["items"]]


def test_of_a_file_that_the_form_does_not_take_it_is_said_what_became_of_it(
    page: Page,
    context: BrowserContext,
    service: Service,
    pictures: Path,
    tmp_path: Path,
    console_errors: ConsoleErrors,
) -> None:
    console_errors.expect("415", "/v1/images")
    console_errors.expect("net::ERR_INTERNET_DISCONNECTED")
    # The list of unused uploads may be fetched while there is one of them.
    console_errors.expect("404", "/content?side=160")
    before = unused(context)
    page.goto("/")
    page.get_by_label("What to make").select_option("class_visualization")
    (tmp_path / "notes.jpg").write_text("hello")
    recipe = {"kind": "class_visualization", "params": {"target": "spiral", "size": 48}}
    spiral = made_with(tmp_path / "spiral.png", recipe)
    for path, says in (
        (pictures / "other.png", "other.png does not say how it was made"),
        (tmp_path / "notes.jpg", "notes.jpg: "),
        (spiral, "This picture was made with Impasto"),
    ):
        drop(page, page.locator(".page-header"), path)
        expect(offer(page)).to_contain_text(says)
    context.set_offline(True)
    drop(page, page.locator(".page-header"), spiral)
    expect(offer(page)).to_contain_text("spiral.png: The service does not answer.")
    context.set_offline(False)
    # They are nowhere in the form: they do not stay.
    wait_for(lambda: unused(context) == before)


def test_an_answer_that_comes_after_another_kind_was_chosen_offers_nothing(
    page: Page, tmp_path: Path
) -> None:
    held: list[Route] = []
    page.route("**/recipe", lambda route: held.append(route))
    page.goto("/")
    recipe = {"kind": "style_transfer", "params": {"size": 96}}
    field(page, "content").locator("input[type=file]").set_input_files(made_with(tmp_path / "a.png", recipe))
    wait_for(lambda: page.evaluate("true") and held)
    page.get_by_label("What to make").select_option("classify")
    with page.expect_event("requestfinished", lambda request: request.url.endswith("/recipe")):
        held[0].continue_()
    # Until the page has handled the answer.
    page.wait_for_timeout(500)
    expect(offer(page)).to_be_hidden()


def test_an_offer_ends_with_the_settings_of_an_old_job_of_another_kind(
    page: Page, painted: Path, tmp_path: Path
) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option("deep_dream")
    field(page, "image").locator("input[type=file]").set_input_files(painted)
    expect(offer(page)).to_be_visible()
    page.locator("#gallery-list a").first.click()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("What to make")).to_have_value("style_transfer")
    expect(offer(page)).to_be_hidden()


def test_a_job_of_before_there_were_views_comes_back_as_it_was(
    page: Page, service: Service, pictures: Path
) -> None:
    choose(page, pictures)
    submit(page)
    expect(result(page, "succeeded")).to_be_visible(timeout=JOB_MS)
    # As it was stored then.
    with closing(sqlite3.connect(service.data_dir / "impasto.db")) as database:
        database.execute(
            "UPDATE jobs SET params = json_set(json_remove(params, '$.views'), '$.optimizer', 'lbfgs')"
        )
        database.commit()
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(result(page, "succeeded")).to_be_visible()
    page.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("Views", exact=True)).to_have_value("picture")
    expect(page.locator("[data-field=optimizer] select")).to_have_value("lbfgs")
