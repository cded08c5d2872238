"""Batches on the page: two folders become a matrix that fills in, and is stopped, downloaded and deleted."""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.support import ConsoleErrors, drop, held

pytestmark = pytest.mark.browser

BATCH_MS = 180_000
BATCH_ADDRESS = re.compile(r"#batch=[\w-]+$")
JOB_ADDRESS = re.compile(r"#batch=[\w-]+&job=[\w-]+$")


@pytest.fixture(autouse=True)
def nothing_left(page: Page) -> Iterator[None]:
    """Cancel what a test leaves running, so that the next one need not wait for it."""
    yield
    for each in page.request.get("/v1/batches?state=running").json()["items"]:
        page.request.post(f"/v1/batches/{each['id']}/cancel")


@pytest.fixture
def folders(tmp_path: Path, pictures: Path) -> tuple[Path, Path]:
    """Photos (a.png, b.png, and a file that is no picture) and paintings (one.png, two.png)."""
    photos, paintings = tmp_path / "photos", tmp_path / "paintings"
    photos.mkdir()
    paintings.mkdir()
    for source, target in (
        ("content", photos / "a.png"),
        ("other", photos / "b.png"),
        ("style", paintings / "one.png"),
    ):
        shutil.copy(pictures / f"{source}.png", target)
    with Image.open(pictures / "style.png") as style:
        style.rotate(90, expand=True).save(paintings / "two.png")
    (photos / "notes.txt").write_text("hello")
    return photos, paintings


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[data-field={name}]")


def set_up(page: Page, *, size: int, steps: int) -> None:
    page.goto("/")
    page.get_by_label("Size", exact=True).fill(str(size))
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Steps").fill(str(steps))


def drop_folders(page: Page, photos: Path, paintings: Path) -> None:
    drop(page, field(page, "content").locator(".drop-zone"), photos)
    drop(page, field(page, "style").locator(".drop-zone"), paintings)


def cells(page: Page, state: str) -> Locator:
    return page.locator(f".cell[data-state={state}]")


def batch(page: Page, state: str) -> Locator:
    return page.locator(f"#batch[data-state={state}]")


def test_two_folders_become_a_matrix(page: Page, folders: tuple[Path, Path]) -> None:
    set_up(page, size=64, steps=4)
    drop_folders(page, *folders)
    expect(field(page, "content")).to_contain_text("2 pictures")
    expect(field(page, "content")).to_contain_text("1 other file left out.")
    expect(field(page, "style").locator(".tile")).to_have_count(2)
    expect(page.locator("#submit")).to_have_text("Paint 4 pictures")
    expect(page.locator("#estimate")).to_contain_text(re.compile("It takes about|How long it takes"))
    page.get_by_text("In pairs", exact=True).click()
    expect(page.locator("#submit")).to_have_text("Paint 2 pictures")
    page.get_by_text("Each with each", exact=True).click()
    page.locator("#submit").click()

    expect(page).to_have_url(BATCH_ADDRESS)
    expect(page.locator(".batch-title")).to_have_text("Photos × Paintings")
    expect(page.get_by_role("gridcell")).to_have_count(4)
    expect(page.get_by_role("rowheader")).to_have_text(["A", "B"])
    expect(batch(page, "succeeded")).to_be_visible(timeout=BATCH_MS)
    expect(cells(page, "succeeded")).to_have_count(4)
    expect(page.get_by_role("gridcell", name="A, after Two: done")).to_be_visible()
    expect(page.locator(".cell img")).to_have_count(4)

    # With the keyboard: to the last cell, into its job, to the job beside it, and back.
    page.locator(".cell").first.focus()
    page.keyboard.press("Control+End")
    expect(page.get_by_role("gridcell", name="B, after Two: done")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(JOB_ADDRESS)
    expect(page.locator(".job-title")).to_have_text("B, after Two")
    expect(page.locator(".batch-place")).to_have_text("4 of 4")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".job-title")).to_have_text("A, after Two")
    expect(page.locator(".batch-place")).to_have_text("2 of 4")
    page.keyboard.press("Escape")
    expect(page).to_have_url(BATCH_ADDRESS)
    expect(page.get_by_role("gridcell", name="A, after Two: done")).to_be_focused()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 4
        assert len(archive.read("results.jsonl").splitlines()) == 4

    # One tile, also after a reload, in the place of its jobs.
    page.reload()
    tile = page.locator("#gallery-list li", has_text="Photos × Paintings")
    expect(tile.locator(".mosaic img")).to_have_count(4)
    expect(page.locator("#gallery-list li")).to_have_count(1)
    expect(batch(page, "succeeded")).to_be_visible()
    expect(field(page, "content")).to_contain_text("2 pictures")

    page.locator("#batch").get_by_role("button", name="Delete").click()
    page.get_by_role("group", name="Delete").get_by_role("button", name="Delete").click()
    expect(tile).to_have_count(0)
    expect(page.locator("#batch")).to_be_hidden()


def test_a_batch_is_paused_and_stopped(
    page: Page, folders: tuple[Path, Path], console_errors: ConsoleErrors
) -> None:
    console_errors.expect("ERR_FAILED")
    set_up(page, size=192, steps=400)
    drop_folders(page, *folders)
    expect(page.locator("#submit")).to_have_text("Paint 4 pictures")
    page.locator("#submit").click()
    expect(cells(page, "running").first).to_be_visible(timeout=BATCH_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.locator(".batch-state")).to_have_text(re.compile("Paus"))
    # What the service did not hear is said until it answers again.
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".batch-problem")).to_contain_text("does not answer")
    page.unroute("**/v1/**")
    expect(page.locator(".batch-problem")).to_be_hidden()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".batch-actions").get_by_role("button", name="Pause")).to_be_visible()

    page.get_by_role("button", name="Stop").click()
    question = page.get_by_role("group", name="Stop")
    expect(question).to_contain_text("will not be made")
    question.get_by_role("button", name="Stop").click()
    expect(batch(page, "cancelled")).to_be_visible(timeout=BATCH_MS)
    expect(cells(page, "cancelled").first).to_be_visible()
    expect(page.locator(".batch-state")).to_have_text("Stopped")
    expect(page.get_by_role("button", name=re.compile(r"Make the other [1-4]$"))).to_be_visible()

    page.get_by_role("button", name=re.compile("Make the other [1-4]")).click()
    expect(batch(page, "running")).to_be_visible()
    expect(cells(page, "cancelled")).to_have_count(0, timeout=BATCH_MS)


def test_a_large_folder_has_small_tiles_and_says_what_is_wrong(
    page: Page, tmp_path: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("415", "/v1/images")
    console_errors.expect("422", "/v1/images")
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(30):
        Image.new("RGB", (16, 16), (8 * i, 0, 0)).save(folder / f"{i}.png")
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("hello")
    page.goto("/")
    drop(page, field(page, "content").locator(".drop-zone"), folder)
    problem = field(page, "content").locator(".problem[role=alert]").last
    expect(problem).to_contain_text("empty.png: The file is empty")
    expect(problem).to_contain_text("text.jpg: This is not a picture")
    expect(field(page, "content")).to_contain_text("30 pictures")
    tiles = field(page, "content").locator(".tile")
    boxes = [tiles.nth(i).bounding_box() for i in range(4)]
    assert all(box and abs(box["width"] - box["height"]) < 1 for box in boxes), boxes


def test_a_failed_entry_says_why(page: Page, pictures: Path, console_errors: ConsoleErrors) -> None:
    """Several files on a field for one picture make it one for many."""
    # There is no small copy of a damaged picture.
    console_errors.expect("415", "/v1/images/", "side=160")
    set_up(page, size=64, steps=4)
    field(page, "content").locator("input[type=file]").set_input_files(
        [pictures / "content.png", pictures / "broken.png"]
    )
    expect(field(page, "content").locator(".tile")).to_have_count(2)
    field(page, "style").locator("input[type=file]").first.set_input_files(pictures / "style.png")
    expect(page.locator("#submit")).to_have_text("Paint 2 pictures")
    page.locator("#submit").click()
    expect(batch(page, "failed")).to_be_visible(timeout=BATCH_MS)
    expect(cells(page, "failed")).to_have_count(1)
    expect(page.locator(".batch-errors")).to_contain_text("damaged")
    failed = page.get_by_role("gridcell", name=re.compile("Broken: failed: .*damaged"))
    failed.hover()
    expect(page.locator(".batch-caption")).to_contain_text("damaged")
    failed.click()
    expect(page.locator(".job-problem")).to_contain_text("damaged")
    page.locator(".batch-back").click()
    page.get_by_role("button", name="Try the failed one again").click()
    expect(batch(page, "failed")).to_be_visible(timeout=BATCH_MS)
    expect(cells(page, "failed")).to_have_count(1)
    expect(page.locator(".batch-problem")).to_be_hidden()


def test_a_list_of_jobs_is_checked_line_by_line(page: Page, tmp_path: Path) -> None:
    lines = [
        {
            "custom_id": "butterfly",
            "kind": "class_visualization",
            "params": {"target": "butterfly", "size": 32, "steps": 2},
        },
        {"custom_id": "wrong", "kind": "class_visualization", "params": {"target": "butterfly", "size": 1}},
    ]
    file = tmp_path / "My jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    page.goto("/")
    expect(page.locator("#lines-file")).to_be_enabled()
    page.locator("#lines-file").set_input_files(file)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 job")
    expect(dialog.get_by_role("row").nth(1)).to_contain_text(re.compile("2.*wrong.*size"))
    dialog.get_by_role("button", name="Start the other 1").click()
    expect(page.locator(".batch-title")).to_have_text("My jobs")
    expect(batch(page, "failed")).to_be_visible(timeout=BATCH_MS)
    expect(cells(page, "succeeded")).to_have_count(1)
    expect(page.locator(".batch-errors")).to_contain_text("Line 2, wrong")
    page.get_by_role("button", name="Check the wrong line again").click()
    expect(batch(page, "failed")).to_be_visible(timeout=BATCH_MS)
    expect(page.locator(".batch-problem")).to_be_hidden()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_unknown_batch_is_reported(page: Page, console_errors: ConsoleErrors) -> None:
    console_errors.expect("404", "/v1/batches/nothing")
    page.goto("/#batch=nothing")
    expect(page.locator(".batch-message")).to_contain_text("There is no batch nothing")


def test_pairs_stay_pairs_while_another_form_is_shown(page: Page, folders: tuple[Path, Path]) -> None:
    set_up(page, size=64, steps=1)
    with held(page, "**/v1/images") as release:
        drop_folders(page, *folders)
        page.get_by_text("In pairs", exact=True).click()
        page.locator("#submit").click()
        expect(page.locator("#submit")).to_have_attribute("data-busy", "Uploading")
        page.get_by_label("What to make").select_option("evaluate")
        with page.expect_request("**/v1/batches?name=*") as sent:
            release()
    assert sent.value.post_data_json["combine"] == "zip"
    assert "name=Photos" in sent.value.url and "Paintings" in sent.value.url
    expect(page).to_have_url(BATCH_ADDRESS)


def test_a_batch_is_named_after_the_pictures_that_are_left(
    page: Page, folders: tuple[Path, Path], pictures: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/batches")
    page.goto("/")
    page.get_by_label("What to make").select_option("deep_dream")
    page.get_by_text("Many pictures", exact=True).click()
    pile = field(page, "image")
    pile.locator("input[type=file]").last.set_input_files(folders[0])
    expect(pile.locator(".picture-heading")).to_contain_text("2 pictures")
    page.reload()
    assert name_of_batch(page) == "DeepDream: Photos"
    pile.locator("input[type=file]").first.set_input_files(pictures / "style.png")
    expect(pile.locator(".picture-heading")).to_contain_text("3 pictures")
    for _ in range(2):
        pile.locator(".remove").first.click()
    assert name_of_batch(page) == "DeepDream: Style"


def name_of_batch(page: Page) -> str:
    """The name with which the batch of the form would be made; the request is stopped."""
    names: list[str] = []

    def stop(route: Route) -> None:
        if route.request.method != "POST" or "dry_run" in route.request.url:
            route.continue_()
            return
        names.append(parse_qs(urlsplit(route.request.url).query)["name"][0])
        route.fulfill(status=422, body="{}")

    page.route("**/v1/batches?*", stop)
    page.locator("#submit").click()
    expect(page.locator("#form-problem")).to_be_visible()
    page.unroute("**/v1/batches?*")
    return names[0]
