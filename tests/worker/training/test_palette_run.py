import shutil
from pathlib import Path

import pytest
import torch

from models.palette import FILE, calibration_pictures, palette, save_palette
from models.procedural import draw
from models.trainable import plain_weights
from worker.contract.compute import Compute
from worker.training import drawings, palette_run
from worker.training.contrast import ContrastSettings
from worker.training.drawings import set_folder
from worker.training.palette import RECIPES, PaletteRecipe, first_palette, palette_model
from worker.training.palette_run import Report, train_palette
from worker.training.phases import Cycle, Phase, Schedule
from worker.training.twins import twins_from

CPU = Compute(torch.device("cpu"))


def tiny_schedule(seed: int, budget: float) -> Schedule:
    phases = (
        Phase(1, size=32, batch=8, mixed=0.5),
        Phase(2, size=32, batch=8, radius=(0.5, 1.0), attacked=0.5, mixed=0.5),
    )
    return Schedule((Cycle(phases),), seed=seed)


def tiny_recipe(contrast: ContrastSettings) -> PaletteRecipe:
    return PaletteRecipe(40, "open", 1, tiny_schedule, twins_from, palette_model, contrast)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a small set."""
    monkeypatch.setattr(drawings, "PER_CLASS", 1)
    monkeypatch.setattr(palette_run, "PER_CLASS", 1)
    monkeypatch.setattr(palette_run, "MEASURED_SIZE", 32)
    folder = set_folder(tmp_path, 40, "open")
    folder.mkdir()
    drawings._draw_file((folder, 40, 0, "open"))
    return tmp_path


def run(
    folder: Path, contrast: ContrastSettings | None = None, stop_after: int = 99
) -> dict[str, torch.Tensor]:
    def on_report(report: Report) -> None:
        assert report.step.losses()["contrast"] > 0
        if report.step.done == stop_after:
            raise KeyboardInterrupt

    recipe = tiny_recipe(contrast or ContrastSettings())
    model, _ = train_palette(folder, recipe, tiny_schedule(3, 1.0), 1, CPU, on_report)
    return model.state_dict()


@pytest.mark.slow
def test_a_training_with_contrast_resumes_exactly(drawn: Path) -> None:
    whole = run(drawn)
    (drawn / "checkpoint.safetensors").unlink()
    with pytest.raises(KeyboardInterrupt):
        run(drawn, stop_after=2)
    resumed = run(drawn)
    for name, weight in whole.items():
        assert torch.equal(weight, resumed[name]), name
    with pytest.raises(ValueError, match="another training"):
        run(drawn, ContrastSettings(weight=0.1))


@pytest.mark.parametrize("number", RECIPES)
def test_recipes_fit_their_pictures(number: int) -> None:
    recipe = RECIPES[number]
    schedule = recipe.schedule(0, 1.0)
    for phase in (phase for cycle in schedule.cycles for phase in cycle.phases):
        assert phase.size <= recipe.drawn_size
        if recipe.contrast is not None:
            # The attacked half has whole groups, too.
            assert phase.batch % 8 == 0
    assert recipe.schedule(0, 0.01).steps == pytest.approx(schedule.steps / 100, abs=len(schedule.cycles) * 4)


def test_the_second_recipe_begins_with_no_other_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("worker.training.palette.calibration_pictures", lambda: draw([1, 20], [7, 8], 64))
    # As one that replaces what is shipped is installed.
    other = palette()
    others = {name: -weight for name, weight in other.stack.state_dict().items()}
    save_palette(other.with_weights(others), {}, tmp_path / "palette.safetensors")
    monkeypatch.setattr("worker.training.palette.FILE", tmp_path / "palette.safetensors")
    with pytest.raises(FileNotFoundError, match="recipe 1"):
        first_palette(0)
    shutil.copy(FILE, tmp_path / "palette-1.safetensors")
    kept = plain_weights(first_palette(0))["conv1_1.weight"]
    torch.testing.assert_close(kept, other.stack.state_dict()["conv1_1.weight"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_second_recipe_begins_with_what_the_first_gave() -> None:
    model, network = first_palette(0), palette()
    drawn = draw([1, 20, 40], [7, 8, 9], 96)
    with torch.no_grad():
        # Batches with the statistics of the calibration pictures, and then any.
        usual = calibration_pictures()
        torch.testing.assert_close(model(usual), network.logits(usual), rtol=1e-3, atol=1e-3)
        fresh = first_palette(0).eval()
        torch.testing.assert_close(fresh(drawn), network.logits(drawn), rtol=1e-4, atol=1e-4)
    weights = network.stack.state_dict()
    for name, weight in plain_weights(fresh).items():
        torch.testing.assert_close(weight, weights[name], rtol=1e-4, atol=1e-5, msg=name)
