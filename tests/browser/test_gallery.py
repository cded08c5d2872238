"""The gallery: what is in it stays up to date, however much was made since."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.support import Service, job_ids, paint

pytestmark = pytest.mark.browser

PAGE_SIZE = 24


def test_a_job_that_goes_on_behind_the_first_page_ends(
    page: Page, context: BrowserContext, service: Service, pictures: Path
) -> None:
    """A training of an hour, after which dozens of pictures were made."""
    first = paint(service, pictures, steps=20_000)
    with httpx.Client(base_url=f"{service.url}/v1", trust_env=False) as client:
        for job_id in [paint(service, pictures, steps=2) for _ in range(PAGE_SIZE)]:
            client.post(f"/jobs/{job_id}/cancel").raise_for_status()
        page.goto("/")
        tiles = page.locator("#gallery-list li")
        expect(tiles).to_have_count(PAGE_SIZE)
        page.get_by_role("button", name="Show more").and_(page.locator("#more")).click()
        expect(tiles).to_have_count(PAGE_SIZE + 1)
        client.post(f"/jobs/{first}/cancel").raise_for_status()
    assert job_ids(context)[-1] == first
    expect(tiles.last).to_have_attribute("data-state", "cancelled")
