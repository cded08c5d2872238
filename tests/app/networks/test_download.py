"""The downloader against a server that does what servers do."""

import hashlib
import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.networks import NetworkCard, get_card
from app.networks.card import Download
from app.networks.download import TRIES, DownloadError, Received, download, raising_storage_full
from app.settings import WeightsFolder
from app.storage import StorageFull
from tests.support.mirror import Answer, Mirror, mirror

DATA = random.Random(5).randbytes(200_000)
FILE = "tiny-12345678.pth"


@pytest.fixture
def served() -> Iterator[Mirror]:
    with mirror(DATA) as found:
        yield found


@pytest.fixture
def folder(served: Mirror, tmp_path: Path) -> WeightsFolder:
    return WeightsFolder(tmp_path, served.url)


@pytest.fixture
def card() -> NetworkCard:
    """A network whose file is DATA."""
    pin = Download(file=FILE, bytes=len(DATA), sha256_prefix=hashlib.sha256(DATA).hexdigest()[:8])
    return get_card("squeezenet1_1").model_copy(update={"name": "tiny", "download": pin})


def run(card: NetworkCard, folder: WeightsFolder) -> list[Received]:
    """Download to the end, with hardly a wait between tries."""
    return list(download(card, folder, first_wait=0.001))


def here(folder: WeightsFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def test_the_file_comes_with_progress_and_under_its_name(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    steps = run(card, folder)
    assert here(folder) == {FILE: DATA}
    assert steps[0] == Received(0, len(DATA)) and steps[-1] == Received(len(DATA), len(DATA))
    assert all(a.bytes <= b.bytes for a, b in itertools.pairwise(steps)) and len(steps) > 2
    # What is there and right is not asked for again.
    assert run(card, folder) == []
    assert served.asked == [None]


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    # More often than is tried in vain: each brought something.
    served.answers = [Answer(cut=10_000) for _ in range(TRIES + 3)]
    steps = run(card, folder)
    assert here(folder) == {FILE: DATA}
    assert served.asked[:3] == [None, "bytes=10000-", "bytes=20000-"]
    assert any("trying again" in step.note and "connection broke" in step.note for step in steps)


def test_who_stops_keeps_what_has_come_and_the_next_goes_on(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    steps = download(card, folder)
    for step in steps:
        if step.bytes >= len(DATA) // 2:
            break
    steps.close()
    partial = folder.path / f"{FILE}.partial"
    kept = partial.stat().st_size
    assert len(DATA) > kept >= len(DATA) // 2 and DATA.startswith(partial.read_bytes())
    assert run(card, folder)[0] == Received(kept, len(DATA))
    assert here(folder) == {FILE: DATA}
    assert served.asked == [None, f"bytes={kept}-"]


def begun(folder: WeightsFolder, data: bytes, validator: str = '"\\"one\\""') -> None:
    """As a run that was killed leaves it."""
    (folder.path / f"{FILE}.partial").write_bytes(data)
    (folder.path / f"{FILE}.partial.json").write_text(validator)


def test_a_server_that_sends_no_parts_sends_all_of_it(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    begun(folder, DATA[:50_000])
    served.usual = Answer(ranges=False)
    assert run(card, folder)[0] == Received(0, len(DATA))
    assert here(folder) == {FILE: DATA}


def test_a_file_that_changed_in_between_is_begun_again(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    begun(folder, bytes(50_000))
    served.headers = {"ETag": '"two"'}
    assert run(card, folder)[0].bytes == 0
    assert (here(folder), len(served.asked)) == ({FILE: DATA}, 1)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": '"one"'}])
@pytest.mark.parametrize("validator", ["null", "{", '"\\"one\\""'])
def test_a_change_that_the_server_does_not_tell_shows_in_the_hash(
    card: NetworkCard, folder: WeightsFolder, served: Mirror, headers: dict[str, str], validator: str
) -> None:
    begun(folder, bytes(50_000), validator)
    served.headers = headers
    run(card, folder)
    assert here(folder) == {FILE: DATA}


def test_a_date_will_do_for_a_validator(card: NetworkCard, folder: WeightsFolder, served: Mirror) -> None:
    served.headers = {"Last-Modified": "Tue, 18 Jul 2017 20:43:11 GMT"}
    served.answers = [Answer(cut=70_000)]
    run(card, folder)
    assert (here(folder), served.asked) == ({FILE: DATA}, [None, "bytes=70000-"])


def test_all_that_is_missing_may_be_the_name(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    begun(folder, DATA)
    run(card, folder)
    assert (here(folder), served.asked) == ({FILE: DATA}, [f"bytes={len(DATA)}-"])


def test_more_than_there_is_was_something_else(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    begun(folder, DATA + b"more")
    run(card, folder)
    assert here(folder) == {FILE: DATA}


def test_a_part_that_was_not_asked_for_is_refused(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    begun(folder, DATA[:1000])
    served.answers = [Answer(status=206, headers={"Content-Range": "bytes 0-14/15"})]
    run(card, folder)
    assert (here(folder), served.asked) == ({FILE: DATA}, ["bytes=1000-", None])


def test_a_wrong_file_is_refused_and_not_kept(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    served.data = b"<html>please log in</html>"
    with pytest.raises(DownloadError) as caught:
        run(card, folder)
    wrong = hashlib.sha256(served.data).hexdigest()[:8]
    for part in (served.url, wrong, card.download.sha256_prefix, "26 bytes", "IMPASTO_WEIGHTS_MIRROR"):
        assert part in caught.value.detail
    assert (here(folder), len(served.asked)) == ({}, 1)


def test_a_damaged_file_that_is_there_is_downloaded_again(card: NetworkCard, folder: WeightsFolder) -> None:
    (folder.path / FILE).write_bytes(DATA[:-1])
    run(card, folder)
    assert here(folder) == {FILE: DATA}


@pytest.mark.parametrize("status", [404, 403, 410])
def test_what_a_server_does_not_have_is_not_asked_for_twice(
    card: NetworkCard, folder: WeightsFolder, served: Mirror, status: int
) -> None:
    served.usual = Answer(status=status)
    with pytest.raises(DownloadError, match=rf"{FILE}: the server answers {status} .*IMPASTO_WEIGHTS_MIRROR"):
        run(card, folder)
    assert len(served.asked) == 1


@pytest.mark.parametrize("status", [503, 500, 429])
def test_a_busy_server_is_asked_again(
    card: NetworkCard, folder: WeightsFolder, served: Mirror, status: int
) -> None:
    served.answers = [Answer(status=status)] * (TRIES - 1)
    run(card, folder)
    assert (here(folder), len(served.asked)) == ({FILE: DATA}, TRIES)


def test_a_server_that_stays_busy_is_given_up_and_what_came_is_kept(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    served.answers = [Answer(cut=30_000)]
    served.usual = Answer(status=503)
    with pytest.raises(DownloadError, match="answers 503 Service Unavailable"):
        run(card, folder)
    assert here(folder)[f"{FILE}.partial"] == DATA[:30_000]
    assert len(served.asked) == 1 + TRIES - 1


@pytest.mark.medium
def test_waits_grow_and_a_server_may_ask_for_longer_ones(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    served.answers = [Answer(status=503, headers={"Retry-After": "40"}), Answer(status=503)]
    first = next(download(card, folder, first_wait=0.001))
    assert first.note == "trying again in 40 s: the server answers 503 Service Unavailable"
    notes = {step.note for step in download(card, folder, first_wait=0.3)}
    assert "trying again in 0 s: the server answers 503 Service Unavailable" in notes


def test_without_a_network_it_says_what_to_do(card: NetworkCard, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/models"
    with pytest.raises(DownloadError) as caught:
        run(card, WeightsFolder(tmp_path, nowhere))
    assert "cannot be reached" in caught.value.detail
    assert f"IMPASTO_WEIGHTS_MIRROR to the URL of a folder that has {FILE}" in caught.value.detail
    assert f"`impasto weights import tiny {FILE}`" in caught.value.detail
    with pytest.raises(DownloadError, match="cannot be reached"):
        run(card, WeightsFolder(tmp_path, "http://no-such-host.invalid"))


@pytest.mark.medium
def test_a_server_that_redirects_for_ever_is_given_up(
    card: NetworkCard, folder: WeightsFolder, served: Mirror
) -> None:
    served.usual = Answer(status=302, headers={"Location": "/models/again"})
    with pytest.raises(DownloadError, match="redirects"):
        run(card, folder)


def test_a_full_disk_is_called_that() -> None:
    with (
        pytest.raises(StorageFull, match=f"no space left for {FILE}"),
        raising_storage_full(Path(FILE)),
        open("/dev/full", "wb", buffering=0) as always_full,
    ):
        always_full.write(DATA)
    with pytest.raises(FileNotFoundError), raising_storage_full(Path(FILE)):
        Path("/nowhere/at/all").read_bytes()


def test_too_small_a_disk_is_known_at_once(card: NetworkCard, folder: WeightsFolder, served: Mirror) -> None:
    served.answers = [Answer(headers={"Content-Length": str(10**15)})]
    with pytest.raises(StorageFull, match=r"takes 2,000,000,000 MB, and .* MB free"):
        run(card, folder)


def test_a_name_that_needs_no_download(folder: WeightsFolder) -> None:
    with pytest.raises(ValueError, match="vgg19-random"):
        next(download(get_card("vgg19-random"), folder))
