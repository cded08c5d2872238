"""The field for a network: the download of missing weights, and networks that were imported."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from models import conversion
from tests.browser.support import JOB_MS, ConsoleErrors, Service
from tests.support.mirror import Answer, Mirror, mirror
from tests.support.network_files import network_file, small_network
from tests.support.published import NAME, published_file, random_squeezenet

pytestmark = pytest.mark.browser

# A number and its unit are kept on one line by a space that does not break.
SOME = re.compile(r"^(?!0\s)[\d.]+\sMB of 4.96\sMB")


@pytest.fixture(scope="module")
def served() -> Iterator[Mirror]:
    with mirror(published_file()) as found:
        yield found


@pytest.fixture(scope="module")
def service(browser: Browser, served: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that downloads from the mirror."""
    service = Service.on_free_port(tmp_path_factory.mktemp("data"))
    service.start({"IMPASTO_WEIGHTS_MIRROR": served.url})
    yield service
    service.stop()


def choose(page: Page) -> Locator:
    """Open the page and choose SqueezeNet; its field."""
    page.goto("/")
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Network", exact=True).select_option(NAME)
    return page.locator("[data-field=network]")


def button(field: Locator, name: str) -> Locator:
    return field.get_by_role("button", name=name)


def test_a_network_is_downloaded(
    page: Page, service: Service, served: Mirror, console_errors: ConsoleErrors
) -> None:
    field = choose(page)
    expect(field).to_contain_text("not here yet")
    expect(field).to_contain_text("non-commercial")
    expect(field.locator("option:checked")).to_have_text("SqueezeNet 1.1, ImageNet (5 MB)")

    # It cannot be used before, and the page says so where it is chosen.
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(field.locator("> .problem")).to_have_text("Download it first, or choose another network.")

    served.usual = Answer(status=404)
    button(field, "Download").click()
    expect(field.locator(".download .problem")).to_contain_text("answers 404")
    expect(field.locator(".download .problem")).to_contain_text("IMPASTO_WEIGHTS_MIRROR")

    served.usual = Answer(slow=True)
    button(field, "Download").click()
    expect(field.locator(".download .help")).to_have_text(SOME)
    expect(field.get_by_role("progressbar", name="Download")).to_be_visible()
    # It goes on while nobody looks, and is found again.
    field = choose(page)
    expect(field.locator(".download .help")).to_have_text(SOME)
    button(field, "Cancel").click()
    expect(button(field, "Download")).to_be_visible()

    # As if it had come by another way.
    folder = service.data_dir / "weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "SIDE", 48)
        state = random_squeezenet().state_dict()
        conversion.convert(NAME, state, folder, source="random", file_sha256="b8a52dc0" + "0" * 56)
    button(field, "Download").click()
    expect(field.locator(".weights")).to_be_hidden()
    expect(field.locator("option:checked")).to_have_text("SqueezeNet 1.1, ImageNet")
    # A download is nothing that was painted.
    expect(page.locator("#gallery-list li")).to_have_count(0)


def test_an_imported_network_is_used_renamed_and_deleted(
    page: Page, context: BrowserContext, service: Service, console_errors: ConsoleErrors
) -> None:
    console_errors.expect("422", "/v1/class-visualization")
    headers = {"Origin": service.url}
    file = {"name": "small.safetensors", "mimeType": "application/octet-stream"}
    upload = {**file, "buffer": network_file(small_network())}
    assert context.request.post("/v1/networks", multipart={"file": upload}, headers=headers).status == 201
    asked = {"target": ["eel"], "network": "small", "size": 32, "steps": 1}
    answer = context.request.post("/v1/class-visualization", data=asked, headers=headers)
    assert answer.status == 202, answer.text()

    page.goto(f"/#job={answer.json()['id']}")
    expect(page.locator("#result[data-state=succeeded]")).to_be_visible(timeout=JOB_MS)
    chosen = page.locator("[data-field=network] option:checked")
    expect(chosen).to_have_text("palette")
    reuse = page.get_by_role("button", name="Use these settings")
    reuse.click()
    expect(chosen).to_have_text("small (Small)")
    # Its classes are suggested.
    expect(page.locator("[data-field=target] datalist option").last).to_have_attribute("value", "eel")

    context.request.patch("/v1/networks/small", data={"name": "tiny"}, headers=headers)
    reuse.click()
    expect(chosen).to_have_text("tiny (Small)")

    context.request.delete("/v1/networks/tiny", headers=headers)
    reuse.click()
    expect(chosen).to_have_text("small")
    page.reload()
    expect(chosen).to_have_text("small")
    page.get_by_role("button", name="Visualise", exact=True).click()
    expect(page.locator("[data-field=network] > .problem")).to_contain_text("small")
