"""``impasto train``, run for real on digits."""

import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from app.cli import program, training_run
from app.cli.training_view import TrainingView
from worker.contract.steps import Step, StepState

QUICK = ("--preset", "from-scratch", "--architecture", "linear", "--size", "8", "--epochs", "2")
QUICK += ("--optimizer", "sgd", "--learning-rate", "0.05", "--attack", "0", "--crop", "1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty; the data folder is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_DEVICE", "cpu")
    monkeypatch.setenv("IMPASTO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("IMPASTO_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, list(arguments))


@pytest.mark.medium
def test_a_network_can_be_used_right_after(folder: Path) -> None:
    result = run("train", "digits", *QUICK, "--name", "lines", "-o", "net.safetensors", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["network"] == "lines"
    assert report["test_accuracy"] > 0.8
    written = {path.name for path in folder.glob("net*")}
    assert written >= {"net.safetensors", "net-report.json", "net-image.png", "net-split.csv"}
    assert json.loads((folder / "net-report.json").read_text())["network"] == "lines"
    Image.new("RGB", (8, 8), "black").save(folder / "black.png")
    classified = run("classify", "black.png", "--network", "lines", "--json")
    assert classified.exit_code == 0, classified.output
    assert classified.stdout.count('"class"') >= 5


@pytest.mark.medium
def test_classes_and_accuracies_are_printed(folder: Path) -> None:
    result = run("train", "digits", *QUICK, "--search", "learning-rate=0.05,0.01")
    assert result.exit_code == 0, result.output
    for shown in ("learning rate", "precision", "accuracy, test", "impasto classify PICTURE --network"):
        assert shown in result.stdout
    assert "training 2, epoch 2: loss" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", "epochs"], "--search: epochs names no value"),
        (["--search", "colour=1"], "--search: 'colour' cannot be searched"),
        (["--epochs", "0"], "--epochs:"),
        (["--architecture-params", "depth=3"], "--architecture-params"),
        (["-o", "net.png"], "net.png must end in .safetensors"),
        (["--base", "palette", "--architecture", "linear"], "--architecture:"),
    ],
)
def test_options_are_checked_first(folder: Path, options: list[str], said: str) -> None:
    result = run("train", "digits", *QUICK, *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_set_that_is_not_there(folder: Path) -> None:
    result = run("train", "nowhere", *QUICK)
    assert result.exit_code == 2
    assert "DATA: There is no 'nowhere'" in result.stderr


def test_the_database_of_a_service_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_DATABASE_URL", f"sqlite:///{folder}/other.db")
    result = run("train", "digits", *QUICK)
    assert result.exit_code == 1
    assert "IMPASTO_DATABASE_URL is set" in result.stderr
    assert not (folder / "other.db").exists()


def _at_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], None]) -> None:
    """Do something when a training has shown so many steps that have an epoch."""
    show, seen = TrainingView.show, 0

    def counted(self: TrainingView, step: Step) -> None:
        nonlocal seen
        show(self, step)
        if "epoch" in step.losses():
            seen += 1
            if seen == number:
                action()

    monkeypatch.setattr(TrainingView, "show", counted)


@pytest.mark.medium
def test_an_interrupt_keeps_the_best_so_far(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _at_step(monkeypatch, 50, lambda: os.kill(os.getpid(), signal.SIGINT))
    result = run("train", "digits", *QUICK, "--epochs", "50", "--name", "early", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["network"], report["ended_early"]) == ("early", True)
    assert report["epochs"] < 50
    assert "Stopping: the best network so far is kept." in result.stderr


@pytest.mark.medium
def test_a_second_interrupt_discards_it_and_the_training_goes_on_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(run("train", "digits", *QUICK, "--name", "whole", "--json").stdout)
    monkeypatch.setattr(training_run, "SAVE_EVERY", 0.0)
    command = ("train", "digits", *QUICK, "--name", "resumed", "--json")

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        _at_step(patch, 50, interrupt)
        stopped = run(*command)
    assert stopped.exit_code == 130
    assert "no network was kept" in stopped.stderr
    resumed = run(*command)
    assert "An interrupted training with these params goes on" in resumed.stderr
    report = json.loads(resumed.stdout)
    assert report["history"] == whole["history"]
    assert report["test_accuracy"] == whole["test_accuracy"]
    assert "goes on" not in run(*command[:-2], "third", "--json").stderr


def _step(done: int, **losses: float) -> Step:
    return Step(done, 4, lambda: losses, None, lambda: StepState({}, {}))


def test_a_terminal_shows_a_row_for_each_epoch() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with TrainingView(console) as view:
        view.show(_step(1, loss=2.5, accuracy=0.25, rate=0.1, epoch=1))
        numbers = {"validation.loss": 1.5, "validation.accuracy": 0.625}
        view.show(_step(4, loss=1.25, accuracy=0.5, rate=0.05, epoch=2, **numbers))
    shown = screen.getvalue()
    for cell in ("2.5000", "25.0%", "1.2500", "62.5%", "0.05"):
        assert cell in shown
    assert "training" not in shown


def test_a_file_gets_a_line_for_the_last_epoch() -> None:
    lines = io.StringIO()
    with TrainingView(Console(file=lines, width=60)) as view:
        view.show(_step(4, loss=1.25, accuracy=0.5, rate=0.05, epoch=2, run=3))
    line = "training 3, epoch 2: loss 1.2500, accuracy 50.0%, validation loss -, validation accuracy -"
    assert lines.getvalue() == f"{line}, rate 0.05\n"
