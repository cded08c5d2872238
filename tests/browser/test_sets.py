"""Sets of pictures on the page: a folder or a ZIP becomes one, by choosing it or by dropping it anywhere."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.support import JOB_MS, ConsoleErrors, drop
from tests.support.zips import class_folders, zipped

pytestmark = pytest.mark.browser

LIST_UNTIL_CLOSED = """async () => {
    const { findSet, refreshSets } = await load("sets.js");
    do {
        await refreshSets();
    } while (findSet("typed")?.state !== "closed");
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of pictures, a file that is none, one that is damaged, and what systems leave behind."""
    root = tmp_path / "My birds"
    files = class_folders(robin=3, wren=2) | {
        "robin/damaged.png": b"no picture",
        "notes.txt": b"hello",
        ".DS_Store": b"x",
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def open_field(page: Page) -> Locator:
    page.goto("/")
    page.get_by_label("What to make").select_option("evaluate")
    return page.locator("[data-field=dataset]")


def test_a_folder_becomes_a_set(page: Page, folder: Path) -> None:
    field = open_field(page)
    field.locator("input[type=file]").first.set_input_files(folder)
    expect(field.locator("select")).to_have_value("my-birds", timeout=JOB_MS)
    expect(field.locator(".counts")).to_have_text("5 pictures, 2 labels")
    expect(field.locator(".report")).to_contain_text("1 file skipped")
    expect(field.locator(".report")).to_contain_text("damaged.png")
    expect(field.locator(".report")).to_contain_text("1 other file ignored")
    expect(field.locator(".download")).to_be_hidden()

    # It is there after a reload, and in the forms of other kinds.
    page.reload()
    expect(field.locator("select")).to_have_value("my-birds")
    expect(field.locator(".counts")).to_have_text("5 pictures, 2 labels")
    page.get_by_label("What to make").select_option("classify")
    expect(field.locator("option", has_text="my-birds (5 pictures)")).to_have_count(1)


def test_a_dropped_folder_becomes_a_set(page: Page, folder: Path) -> None:
    field = open_field(page)
    drop(page, field.locator(".set-drop"), folder.rename(folder.with_name("dropped")))
    expect(field.locator("select")).to_have_value("dropped", timeout=JOB_MS)
    expect(field.locator(".counts")).to_have_text("5 pictures, 2 labels")


def test_a_zip_dropped_anywhere_becomes_a_set(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    page.get_by_label("What to make").select_option("classify")
    file = tmp_path / "Two words.zip"
    file.write_bytes(zipped(class_folders(robin=2)))
    drop(page, page.locator(".viewer"), file)
    field = page.locator("[data-field=dataset]")
    expect(field.locator("select")).to_have_value("two-words", timeout=JOB_MS)
    expect(field.locator(".counts")).to_have_text("2 pictures, no labels")
    expect(page.locator(".tile")).to_have_count(0)

    page.locator("#submit").click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".job-title")).to_have_text("two-words, Classification")
    expect(page.get_by_role("link", name="predictions.jsonl")).to_be_visible()
    page.get_by_role("button", name="Use these settings").click()
    expect(field.locator("select")).to_have_value("two-words")


def test_what_is_wrong_with_a_zip_is_said_at_the_field(
    page: Page, tmp_path: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/datasets")
    field = open_field(page)
    zip_input = field.locator("input[type=file]").last
    zip_input.set_input_files({"name": "bad.zip", "mimeType": "application/zip", "buffer": b"no ZIP at all"})
    expect(field.locator(".problem")).to_contain_text("ZIP")
    expect(field.locator("select")).to_have_attribute("aria-invalid", "true")
    expect(field.locator("select")).to_be_enabled()

    # Without any picture nothing is left behind.
    empty = zipped({"a.png": b"no picture"})
    zip_input.set_input_files({"name": "empty.zip", "mimeType": "application/zip", "buffer": empty})
    expect(field.locator(".problem")).to_contain_text("None of its pictures (1) can be read", timeout=JOB_MS)
    names = [each["name"] for each in page.request.get("/v1/datasets").json()["items"]]
    assert "empty" not in names and "bad" not in names
    page.locator("#submit").click()
    expect(field.locator(".problem")).to_have_text("Choose a set first.")


def test_a_name_that_is_being_typed_stays_when_sets_are_listed(page: Page, context: BrowserContext) -> None:
    file = {"name": "typed.zip", "mimeType": "application/zip", "buffer": zipped(class_folders(robin=1))}
    made = context.request.post("/v1/datasets", multipart={"params": '{"name": "typed"}', "file": file})
    assert made.ok
    page.goto("/")
    expect(page.locator("#submit")).to_be_enabled()
    page.evaluate(LIST_UNTIL_CLOSED)
    entry = page.locator(".shelf [data-name=typed]")
    entry.get_by_role("button", name="Rename").click()
    entry.get_by_label("New name").fill("half a na")
    page.evaluate(LIST_UNTIL_CLOSED)
    expect(entry.get_by_label("New name")).to_have_value("half a na")
    expect(entry.get_by_label("New name")).to_be_focused()
