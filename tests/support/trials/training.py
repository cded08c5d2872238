"""Tries of the params of all kinds that train, or check what a training does."""

from app.kinds.learning_rate_range import TAKEN
from tests.support.trials.base import Kind, Trial, tries

# No augmentation, so that each can be tried; and a rate that changes something in so few steps.
PLAIN = {"crop": 1, "shift": 0, "color": 0, "attack": 0}
SMALL = {
    "dataset": "colored",
    "architecture": "cnn",
    "architecture_params": {"n": 1, "m": 1, "k": 0, "width": 4},
    "size": 8,
    "epochs": 2,
    "batch_size": 8,
    "optimizer": "sgd",
    **PLAIN,
}
# A frozen base, and one that is tuned.
FROZEN = {**dict.fromkeys(SMALL), "dataset": "colored", "base": "cnn-max"}
TUNED = {**FROZEN, "preset": "fine-tune", "epochs": 1, "batch_size": 8, **PLAIN, "optimizer": "sgd"}
# The accuracy stays as it is, and the loss gets better.
STUCK = {"batch_norm": False, "learning_rate": 1e-5, "epochs": 4}
STEPS = {"schedule": "step", "step_epochs": 1, "epochs": 3}
PLATEAU = {**STUCK, "schedule": "plateau", "plateau_patience": 1}

TRAIN = Kind(
    SMALL,
    tries(
        dataset="photographs",
        preset="alexnet-2012",
        name="mine",
        base=Trial("cnn-none", FROZEN),
        transfer=Trial("svm", FROZEN),
        feature_layer=Trial("relu1_1", FROZEN),
        compare_layers=Trial(["relu1_1"], FROZEN),
        last_blocks=Trial(1, {**TUNED, "transfer": "last"}),
        rate_decay=Trial(0.1, TUNED),
        architecture=Trial("mlp", {"architecture": "linear", "architecture_params": None}),
        architecture_params={"n": 1, "m": 1, "k": 0, "width": 5},
        batch_norm=False,
        initialization="glorot",
        initial_std=Trial(0.1, {"initialization": "constant"}),
        size=10,
        objective="hinge",
        margin=Trial(3, {"objective": "hinge"}),
        embedding=Trial(5, {"objective": "triplet"}),
        label_smoothing=0.3,
        l1=0.1,
        l2=0.1,
        epochs=3,
        least_steps=20,
        batch_size=4,
        optimizer="adam",
        learning_rate=0.1,
        find_learning_rate=True,
        momentum=0.5,
        weight_decay=0.1,
        schedule="cosine",
        warm_up=0.5,
        step_epochs=Trial(2, STEPS),
        rate_factor=Trial(0.5, STEPS),
        plateau_patience=Trial(2, PLATEAU),
        average=0,
        metric=Trial("loss", {**STUCK, "patience": 1}),
        patience=Trial(1, STUCK),
        min_delta=Trial(1, {"patience": 1, "metric": "loss", "learning_rate": 1e-3, "epochs": 4}),
        flip=True,
        crop=0.5,
        shift=0.3,
        rotation=90,
        distortion=0.3,
        color=1,
        cutout=0.5,
        mixup=1,
        cutmix=1,
        attack=2,
        restarts=2,
        folds=2,
        search={"learning_rate": [0.01, 0.1]},
        ensemble=Trial(2, {"restarts": 2}),
        seed=1,
    ),
)


def _in_range_test(trial: Trial) -> Trial:
    """The trial without what a range test does not take."""
    beside = {name: each for name, each in trial.beside.items() if name in TAKEN}
    return Trial(trial.other, beside)


RANGE = Kind(
    {name: each for name, each in SMALL.items() if name in TAKEN},
    {
        **{name: _in_range_test(trial) for name, trial in TRAIN.trials.items() if name in TAKEN},
        # Those of a frozen base have no rate.
        **{
            name: _in_range_test(Trial(other, TUNED))
            for name, other in (("base", "cnn-none"), ("transfer", "last"), ("feature_layer", "relu1_1"))
        },
        "preset": Trial("alexnet-2012", {"optimizer": None, "preset": "from-scratch"}),
    },
)

GRADIENT_CHECK = Kind(
    {
        "architecture": "cnn",
        "architecture_params": {"n": 1, "m": 1, "k": 0, "width": 2},
        "size": 8,
        "samples": 2,
        "batch_size": 4,
        "classes": 3,
    },
    tries(
        architecture=Trial("mlp", {"architecture": "linear", "architecture_params": None}),
        architecture_params={"n": 1, "m": 1, "k": 0, "width": 3},
        batch_norm=True,
        initialization="xavier",
        objective="hinge",
        margin=Trial(2, {"objective": "hinge"}),
        label_smoothing=0.2,
        l1=0.1,
        l2=0.1,
        size=10,
        classes=4,
        batch_size=5,
        samples=3,
        step=1e-4,
        seed=1,
    ),
)

TRAINING = {"train": TRAIN, "learning_rate_range": RANGE, "gradient_check": GRADIENT_CHECK}
