"""Params of training: what is chosen, and what does not go together."""

from typing import Any

import pytest

from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds.train import MOST_RUNS, ResolvedFrozen, ResolvedTraining
from app.kinds.training_presets import PRESETS
from app.kinds.training_runs import Run, count_runs, fold_runs, restarts, variants
from app.networks.catalogue import SHIPPED


def resolved(**params: Any) -> ResolvedTraining | ResolvedFrozen:
    made = parse_params("train", {"dataset": "digits", **params}, SHIPPED)
    assert isinstance(made, ResolvedTraining | ResolvedFrozen)
    return made


def trained(**params: Any) -> ResolvedTraining:
    made = resolved(**params)
    assert isinstance(made, ResolvedTraining)
    return made


def refusal(**params: Any) -> tuple[str, str]:
    with pytest.raises(ParamsError) as caught:
        resolved(**params)
    (error,) = caught.value.errors
    return error.field, error.detail


def test_the_first_preset_solves_for_a_classifier() -> None:
    params = resolved()
    assert isinstance(params, ResolvedFrozen)
    assert (params.base, params.transfer, params.size) == ("efficientnet_lite0", "head", 224)
    assert (params.epochs, params.optimizer, params.crop) == (None, None, None)


def test_an_architecture_takes_the_preset_of_random_weights() -> None:
    params = trained(architecture="lenet")
    assert (params.preset, params.base, params.transfer) == ("from-scratch", None, None)
    assert (params.size, params.batch_norm, params.epochs) == (32, True, 40)


def test_the_recipe_of_2012() -> None:
    params = trained(preset="alexnet-2012")
    assert (params.architecture, params.batch_size, params.momentum) == ("alexnet_2012", 128, 0.9)
    assert (params.learning_rate, params.schedule, params.rate_factor) == (0.01, "plateau", 0.1)
    assert params.weight_decay == 5e-4


def test_few_pictures_are_shown_more_often_unless_it_is_said_how_often() -> None:
    least = PRESETS["from-scratch"].least_steps
    asked: list[tuple[dict[str, Any], int]] = [
        ({}, least),
        ({"epochs": 3}, 0),
        ({"search": {"epochs": [1, 2]}}, 0),
        ({"epochs": 3, "least_steps": 9}, 9),
    ]
    for params, steps in asked:
        found = trained(preset="from-scratch", **params)
        assert found.least_steps == steps


def test_another_optimizer_has_its_usual_rate() -> None:
    assert trained(architecture="cnn", optimizer="adam").learning_rate == 1e-3
    assert trained(architecture="cnn", optimizer="adam", learning_rate=0.5).learning_rate == 0.5
    assert trained(architecture="cnn", optimizer="sgd").learning_rate == 0.05
    assert trained(architecture="cnn").learning_rate == PRESETS["from-scratch"].learning_rate


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"base": "palette", "architecture": "cnn"}, "architecture"),
        ({"base": "palette", "preset": "from-scratch"}, "base"),
        ({"base": "nowhere"}, "base"),
        ({"architecture": "cnn", "transfer": "head"}, "transfer"),
        ({"preset": "from-scratch", "feature_layer": "relu4_1"}, "feature_layer"),
        ({"preset": "from-scratch", "compare_layers": ["relu4_1"]}, "compare_layers"),
        ({"architecture": "cnn", "last_blocks": 2}, "last_blocks"),
        ({"base": "palette", "batch_norm": True}, "batch_norm"),
        ({"base": "palette", "initialization": "he"}, "initialization"),
        ({"base": "palette", "architecture_params": {"width": 1}}, "architecture_params"),
        ({"base": "palette", "feature_layer": "relu9_1"}, "feature_layer"),
        ({"base": "palette", "feature_layer": "logits"}, "feature_layer"),
        ({"base": "palette", "last_blocks": 2}, "last_blocks"),
        ({"base": "palette", "transfer": "last", "last_blocks": 99}, "last_blocks"),
        ({"base": "palette", "transfer": "last", "rate_decay": 0.5}, "rate_decay"),
        ({"base": "palette", "transfer": "svm", "epochs": 3}, "epochs"),
        ({"base": "palette", "transfer": "svm", "learning_rate": 0.1}, "learning_rate"),
        ({"base": "palette", "transfer": "head", "mixup": 0.2}, "mixup"),
        ({"base": "palette", "restarts": 2}, "restarts"),
        ({"architecture": "cnn", "architecture_params": {"depth": 2}}, "architecture_params.depth"),
        ({"architecture": "cnn", "architecture_params": {"width": 0}}, "architecture_params.width"),
        ({"architecture": "lenet", "size": 8}, "size"),
        ({"architecture": "cnn", "objective": "hinge", "label_smoothing": 0.1}, "label_smoothing"),
        ({"architecture": "cnn", "objective": "triplet", "attack": 1}, "attack"),
        ({"architecture": "cnn", "batch_size": 1}, "batch_size"),
        ({"architecture": "cnn", "search": {"dataset": ["a"]}}, "search"),
        ({"architecture": "cnn", "search": {"epoch": [1]}}, "search"),
        ({"architecture": "cnn", "search": {"epochs": []}}, "search"),
        ({"architecture": "cnn", "search": {"epochs": [1, "many"]}}, "search"),
        ({"architecture": "cnn", "search": {"size": [32, 1]}}, "search"),
        ({"architecture": "cnn", "search": {"batch_size": [8, 1]}}, "search"),
        ({"architecture": "cnn", "search": {"size": [32, 7]}}, "search"),
        ({"architecture": "cnn", "search": {"epochs": [1, 0]}}, "search"),
        ({"architecture": "cnn", "search": {"batch_size": [0]}}, "search"),
        ({"architecture": "cnn", "search": {"learning_rate": [-0.1]}}, "search"),
        ({"architecture": "cnn", "search": {"mixup": [1e9]}}, "search"),
        ({"base": "palette", "find_learning_rate": True}, "find_learning_rate"),
        ({"base": "palette", "transfer": "svm", "l2": 0.1}, "l2"),
        ({"architecture": "cnn", "restarts": MOST_RUNS, "search": {"epochs": [1, 2]}}, "search"),
        ({"architecture": "cnn", "restarts": MOST_RUNS, "folds": 2}, "folds"),
        ({"architecture": "cnn", "restarts": 2, "ensemble": 3}, "ensemble"),
        ({"architecture": "cnn", "folds": 5, "ensemble": 2}, "ensemble"),
        ({"architecture": "cnn", "search": {"size": [32, 48]}, "ensemble": 2}, "ensemble"),
    ],
)
def test_what_does_not_go_together_is_refused(params: dict[str, Any], field: str) -> None:
    found, detail = refusal(**params)
    assert found == field
    assert detail.endswith((".", ")."))


def test_labels_are_not_smoothed_by_a_preset_that_could_not() -> None:
    assert trained(architecture="cnn", objective="hinge").label_smoothing == 0


def test_a_search_says_which_values_are_wrong() -> None:
    _, detail = refusal(architecture="lenet", search={"size": [32, 9], "epochs": [3]})
    assert detail.startswith("With size 9, epochs 3: size: ")


def values(runs: list[Run]) -> list[dict[str, Any]]:
    return [run.values for run in runs]


def test_params_of_an_architecture_are_searched_one_by_one() -> None:
    asked = {"architecture": "cnn", "architecture_params": {"n": 1, "width": 8}}
    params = trained(**asked, search={"architecture_params.width": [16, 32], "architecture_params.k": [0]})
    found = [run.params.architecture_params for run in variants(params)]
    assert found == [{"n": 1, "width": 16, "k": 0}, {"n": 1, "width": 32, "k": 0}]
    whole = trained(**asked, search={"architecture_params": [{"width": 4}]})
    assert [run.params.architecture_params for run in variants(whole)] == [{"width": 4}]
    field, detail = refusal(**asked, search={"architecture_params.height": [16]})
    assert field == "search" and "architecture_params.height" in detail
    field, detail = refusal(**asked, search={"architecture_params.width": [16, 32]}, ensemble=2)
    assert field == "ensemble" and "architecture_params" in detail


def test_the_runs_of_a_job() -> None:
    params = trained(
        architecture="cnn", search={"epochs": [1, 2], "optimizer": ["sgd", "adam"]}, restarts=2, seed=7
    )
    assert count_runs(params) == 8
    found = variants(params)
    assert values(found) == [
        {"epochs": 1, "optimizer": "sgd"},
        {"epochs": 1, "optimizer": "adam"},
        {"epochs": 2, "optimizer": "sgd"},
        {"epochs": 2, "optimizer": "adam"},
    ]
    assert [run.variant for run in found] == [0, 1, 2, 3]
    second = found[1].params
    assert isinstance(second, ResolvedTraining)
    assert (second.epochs, second.optimizer, second.learning_rate) == (1, "adam", 1e-3)
    again = restarts(found[1])
    assert [run.params.seed for run in again] == [7, 8]
    assert values(again) == [{**found[1].values, "seed": seed} for seed in (7, 8)]


def test_the_runs_of_folds() -> None:
    params = trained(architecture="cnn", search={"epochs": [1, 2]}, restarts=3, folds=5)
    # Those of the folds of both, and then the best from three seeds.
    assert count_runs(params) == 13
    assert [run.fold for run in fold_runs(variants(params)[1])] == [0, 1, 2, 3, 4]
    assert count_runs(trained(architecture="cnn")) == 1
    assert variants(trained(architecture="cnn"))[0].values == {}
