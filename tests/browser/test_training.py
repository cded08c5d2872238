"""Training on the page: from folders, a camera or other labels to a network that is tried and used."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from models.procedural import CLASSES, draw
from tests.browser.support import JOB_MS, ConsoleErrors, drop, urls_sent
from tests.support.network_files import network_file, small_network

pytestmark = pytest.mark.browser

SHOWN = ("mushroom", "planet")
OPEN_CAMERA = """async (becomesSet) => {
    const { openCameraDialog } = await load("camera_dialog.js");
    openCameraDialog(async (files) => {
        globalThis.found = files.map(({ name }) => name);
        return becomesSet;
    });
}"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn pictures for each class."""
    root = tmp_path_factory.mktemp("things")
    for name in SHOWN:
        (root / name).mkdir()
        pictures = draw([CLASSES.index(name)] * 14, list(range(14)), 96)
        for place, picture in enumerate((255 * pictures).round().to(torch.uint8)):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(root / name / f"{name}-{place}.png")
    return root


@pytest.fixture
def field(page: Page) -> Iterator[Locator]:
    """The set of the form of a training."""
    page.goto("/")
    page.get_by_label("What to make").select_option("train")
    yield page.locator("[data-field=dataset]")


def make_set(field: Locator, folder: Path, name: str) -> None:
    """Choose a folder of the name that its set is to have."""
    chosen = folder.with_name(name)
    shutil.copytree(folder, chosen)
    field.locator("input[type=file]").first.set_input_files(chosen)
    expect(field.locator("select")).to_have_value(name, timeout=JOB_MS)


def test_folders_become_a_network_that_is_tried(page: Page, field: Locator, folders: Path) -> None:
    drop(page, field.locator(".set-drop"), *(folders / name for name in SHOWN))
    expect(field.locator("select")).to_have_value("mushroom-planet", timeout=JOB_MS)
    expect(field.locator(".counts")).to_have_text("28 pictures, 2 labels")
    expect(field.locator(".class-row")).to_have_text(["mushroom14", "planet14"])
    expect(field.locator(".part-legend")).to_have_text("20 training 4 validation 4 test ")
    expect(field.locator(".suggested")).to_contain_text("10 training pictures a class are few")

    page.locator("#submit").click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".verdict-words")).to_contain_text(re.compile("[0-4] of 4 test pictures"))
    page.locator(".matrix button").first.click()
    expect(page.locator(".cell-title")).to_contain_text("mushroom")
    expect(page.locator(".cell-pictures img").first).not_to_have_js_property("naturalWidth", 0)
    expect(page.get_by_role("region", name="Each class").locator("tbody tr")).to_have_count(2)
    # There are no epochs to show: the strengths that were tried are compared instead.
    strengths = page.get_by_role("region", name="Strengths compared").locator("tbody tr")
    expect(strengths.nth(1)).to_be_visible()
    expect(strengths.filter(has_text="✓")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    # The network knows a picture that it was not trained on, from the page as from a file.
    tried = page.locator(".try")
    drop(page, page.locator(".try-drop"), folders / "planet" / "planet-0.png")
    expect(tried.first.locator(".class-name").first).to_have_text("planet", timeout=JOB_MS)
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take a picture").click()
    expect(tried).to_have_count(2)
    expect(tried.first.locator(".class-name")).to_have_count(2, timeout=JOB_MS)
    page.get_by_role("button", name="Close the camera").click()
    expect(page.locator(".finder")).to_be_hidden()

    # It is offered to other forms at once.
    network = page.request.get(f"/v1/jobs/{page.url.rpartition('=')[2]}").json()["result"]["network"]
    page.get_by_role("button", name="Dream with it").click()
    expect(page.get_by_label("What to make")).to_have_value("deep_dream")
    expect(page.locator("[data-field=network] select")).to_have_value(network)
    expect(page.locator(f'.entry[data-name="{network}"]')).to_contain_text("2 classes")


def test_curves_are_live_and_come_back(page: Page, field: Locator, folders: Path) -> None:
    make_set(field, folders, "things")
    page.get_by_text("from-scratch", exact=True).click()
    page.get_by_label("Epochs", exact=True).fill("400")
    page.locator("#submit").click()
    dots = page.locator(".chart").first.locator(".dot")
    expect(dots.nth(2)).to_be_visible(timeout=JOB_MS)
    page.reload()
    expect(dots.nth(2)).to_be_visible(timeout=JOB_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".progress-state")).to_have_text("Paused", timeout=JOB_MS)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".progress-state")).to_have_text("Running", timeout=JOB_MS)
    page.get_by_role("button", name="Stop and keep the best").click()
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".verdict-words")).to_contain_text("parameters, best in epoch")
    lines = page.locator(".chart .train")
    expect(lines).to_have_count(3)
    for line in lines.all():
        expect(line).to_have_attribute("d", re.compile(r"^M[^M]*L"))
        box = line.bounding_box()
        assert box is not None and box["width"] > 100


def test_pictures_of_the_camera_become_a_set(page: Page, field: Locator) -> None:
    field.get_by_role("button", name="take pictures").click()
    dialog = page.get_by_role("dialog", name="Take pictures")
    make = dialog.get_by_role("button", name="Make the set")
    hold = dialog.get_by_role("button", name="Hold to take pictures")
    expect(hold.first).to_be_enabled()
    make.click()
    expect(dialog.get_by_role("alert")).to_contain_text("two classes at least")

    hold.first.hover()
    page.mouse.down()
    expect(dialog.locator(".camera-class").first.locator(".shots li").nth(3)).to_be_visible()
    page.mouse.up()
    hold.last.focus()
    page.keyboard.down("Space")
    expect(dialog.locator(".camera-class").last.locator(".shots li").nth(3)).to_be_visible()
    page.keyboard.up("Space")
    names = dialog.get_by_label("Name of the class")
    names.first.fill("left")
    names.last.fill("left")
    make.click()
    expect(dialog.get_by_role("alert")).to_have_text("Two classes have the same name.")
    names.last.fill("right")
    make.click()
    expect(dialog).to_be_hidden()
    expect(field.locator("select")).to_have_value("left-right", timeout=JOB_MS)
    expect(field.locator(".class-label")).to_have_text(["left", "right"])


def test_pictures_of_the_camera_stay_until_they_are_a_set(page: Page, field: Locator) -> None:
    dialog = page.get_by_role("dialog", name="Take pictures")
    shots = dialog.locator(".shots li")

    def take(becomes_set: bool) -> list[str]:
        page.evaluate(OPEN_CAMERA, becomes_set)
        for hold in dialog.get_by_role("button", name="Hold to take pictures").all():
            expect(hold).to_be_enabled()
            before = shots.count()
            # As assistive technology presses it: once.
            hold.dispatch_event("click")
            expect(shots).to_have_count(before + 1)
        dialog.get_by_role("button", name="Make the set").click()
        expect(dialog).to_be_hidden()
        names: list[str] = page.evaluate("found")
        return names

    assert len(take(becomes_set=False)) == 2
    # Those of the second time have names of their own.
    assert len(set(take(becomes_set=True))) == 4
    field.get_by_role("button", name="take pictures").click()
    expect(shots).to_have_count(0)


def test_other_labels_make_a_new_set(page: Page, field: Locator, folders: Path) -> None:
    make_set(field, folders, "skies")
    field.get_by_role("button", name="Look at the pictures").click()
    dialog = page.get_by_role("dialog", name="skies")
    pictures = dialog.locator(".sheet button")
    expect(pictures).to_have_count(28)
    dialog.get_by_role("button", name="planet 14").click()
    expect(pictures).to_have_count(14)
    pictures.nth(1).click()
    pictures.nth(2).click(modifiers=["Shift"])
    expect(dialog.get_by_role("status")).to_have_text("2 pictures selected")
    dialog.get_by_label("Give them the label").fill("moon")
    dialog.get_by_label("Give them the label").press("Enter")
    pictures.first.click()
    dialog.get_by_role("button", name="Leave out").click()
    expect(dialog.get_by_role("status")).to_contain_text("3 changes, not saved yet")
    page.keyboard.press("Escape")
    expect(dialog.get_by_role("alert")).to_contain_text("not saved")
    dialog.get_by_label("Save as a new set named").fill("relabelled")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(field.locator("select")).to_have_value("relabelled")
    expect(field.locator(".class-row")).to_have_text(["moon2", "mushroom14", "planet11"])
    expect(field.locator(".warning").first).to_contain_text("7 times as large as the smallest, 'moon'")

    entry = page.locator('.entry[data-name="relabelled"]')
    entry.get_by_role("button", name="Rename").click()
    entry.get_by_label("New name").fill("planets")
    entry.get_by_label("New name").press("Enter")
    entry = page.locator('.entry[data-name="planets"]')
    entry.get_by_role("button", name="Delete").click()
    entry.get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)
    expect(field.locator("select option", has_text="planets")).to_have_count(0)


def test_what_is_no_set_of_classes_is_refused_before_it_is_sent(
    page: Page, field: Locator, folders: Path, tmp_path: Path
) -> None:
    sent = urls_sent(page, "POST")
    problem = field.locator(".problem")
    target = field.locator(".set-drop")
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    drop(page, target, notes)
    expect(problem).to_have_text("notes.txt is not a picture.")
    (tmp_path / "nothing").mkdir()
    drop(page, target, tmp_path / "nothing")
    expect(problem).to_have_text("There are no files in this folder.")
    drop(page, target, folders / "planet")
    expect(problem).to_contain_text("of one class")
    assert sent == []


def test_a_network_is_imported_renamed_and_deleted(
    page: Page, field: Locator, console_errors: ConsoleErrors, tmp_path: Path
) -> None:
    console_errors.expect("409", "/v1/networks")
    exported = tmp_path / "six-animals.safetensors"
    exported.write_bytes(network_file(small_network()))
    file = page.locator(".shelf input[type=file]")
    file.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no network"})
    expect(page.locator(".shelf > .problem").first).to_contain_text("notes.txt is not a network")
    file.set_input_files(exported)
    entry = page.locator(".entry[data-name=small]")
    expect(entry).to_contain_text("imported, 6 classes")
    expect(page.locator("[data-field=base] option[value=small]")).to_have_count(1)
    # Again, as a copy, under the name of the file.
    file.set_input_files(exported)
    copy = page.locator('.entry[data-name="six-animals"]')
    expect(copy).to_be_visible()
    with page.expect_download() as download:
        copy.get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "six-animals.safetensors"

    copy.get_by_role("button", name="Rename").click()
    copy.get_by_label("New name").fill("small")
    copy.get_by_label("New name").press("Enter")
    expect(copy.get_by_role("alert")).to_contain_text("small")
    copy.get_by_label("New name").fill("animals")
    copy.get_by_label("New name").press("Enter")
    renamed = page.locator(".entry[data-name=animals]")
    expect(page.locator("[data-field=base] option[value=animals]")).to_have_count(1)
    renamed.get_by_role("button", name="Delete").click()
    renamed.get_by_role("button", name="Delete").click()
    expect(renamed).to_have_count(0)
    expect(entry).to_be_visible()
