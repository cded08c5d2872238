"""The data folder and the port that a service has to itself."""

import socket
from pathlib import Path

import pytest

from app.supervision.startup import StartError, claim_data_dir, listen, local_url, url_of


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with (
        claim_data_dir(folder),
        pytest.raises(StartError, match="Another service"),
        claim_data_dir(folder),
    ):
        pass
    with claim_data_dir(folder):
        assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartError, match=f"{tmp_path}/file/data.*IMPASTO_DATA_DIR"),
        claim_data_dir(tmp_path / "file" / "data"),
    ):
        pass


def test_port_zero_picks_one_that_can_be_connected_to() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_taken_port_is_named_with_its_setting() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} .*IMPASTO_PORT"):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_here_is_named() -> None:
    # TEST-NET-1 (RFC 5737) is nobody's.
    with pytest.raises(StartError, match=r"192\.0\.2\.1.*IMPASTO_HOST"):
        listen("192.0.2.1", 0)


def test_every_address_is_shown_as_one_that_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_of_version_6_is_bracketed() -> None:
    with listen("::1", 0) as listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("fe80::1", "http://[fe80::1]:8000"),
        ("studio.example", "http://studio.example:8000"),
    ],
)
def test_a_host_of_the_settings_is_reached_at_a_url(host: str, url: str) -> None:
    assert local_url(host, 8000) == url
