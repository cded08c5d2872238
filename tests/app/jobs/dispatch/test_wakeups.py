"""Wake-ups between processes of one machine."""

import os
import tempfile
from pathlib import Path

import pytest

from app.jobs.dispatch.base import LocalDispatcher, lane_channel
from app.jobs.dispatch.wakeups import WakeupSocket, run_dir


def test_a_hint_wakes_every_worker_of_the_lane(tmp_path: Path) -> None:
    folder = run_dir(tmp_path)
    short, training = (WakeupSocket(folder, lane_channel(lane)) for lane in ("short", "training"))
    LocalDispatcher(tmp_path).hint("training")
    assert training.wait(10) == ["training"]
    assert short.receive() == []
    for each in (short, training):
        each.close()
    folder.rmdir()


@pytest.mark.parametrize("length", [30, 60, 71, 72, 73, 100, 200])
def test_sockets_work_however_long_the_path_of_temporary_files_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        temporary = Path(short) / ("x" * max(1, length - len(short) - 1))
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        folder = run_dir(tmp_path)
        assert folder == run_dir(tmp_path) and folder.stat().st_mode & 0o777 == 0o700
        # The longest name there is, of a process with the greatest id.
        (folder / f"{lane_channel('training')}.4194304").touch()
        listener = WakeupSocket(folder, lane_channel("training"))
        LocalDispatcher(tmp_path).hint("training")
        assert listener.wait(10) == ["training"]
        listener.close()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_a_folder_of_another_user_or_open_to_others_is_refused(tmp_path: Path) -> None:
    folder = run_dir(tmp_path)
    folder.chmod(0o755)
    with pytest.raises(PermissionError, match="open to others"):
        run_dir(tmp_path)
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="open to others"):
        run_dir(tmp_path)
    folder.unlink()
    folder.mkdir(mode=0o700)
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
        with pytest.raises(PermissionError, match="another user"):
            run_dir(tmp_path)
    folder.rmdir()
