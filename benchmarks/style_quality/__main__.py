"""How well settings of style transfer paint, judged by networks that do not paint, and by eye.

    python -m benchmarks.style_quality [--setting name:key=value,key=value] [--style-weights 1,4,15,60]
        [--pairs FOLDER] [--vgg FILE] [--against FILE] [--blind A B] [-o FOLDER]

Paints pairs of a content and a style with each setting, and prints distances from both for each pair and
as geometric means, with ratios to the first setting. docs/style-transfer.md, "Measured", says what is
measured. Writes into the folder: figures.json, curves.png, contact-sheet.jpg, and the pictures. What was
painted is kept: the same command, run again, goes on where it was stopped.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from app.errors import ComputationError, InputError
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from benchmarks.style_quality.charts import draw_curves
from benchmarks.style_quality.figures_file import Run, common_pairs, first_setting, write_run
from benchmarks.style_quality.measures import GREY, chroma, copied, judges, speckle, strong_edges
from benchmarks.style_quality.painting import paint
from benchmarks.style_quality.pairs import Pair, choose, drawn_pairs, listed_pairs, photograph_pairs
from benchmarks.style_quality.report import Result, curves_table, means_table, pairs_table
from benchmarks.style_quality.settings import PUBLISHED, Setting, parse_settings, parse_weights
from benchmarks.style_quality.sheets import contact_sheet, write_blind
from worker.media.pictures import load_picture
from worker.optim.pyramids.scales import fit, resize
from worker.training.style_judge import StyleJudge, fitted_style


@dataclass(frozen=True)
class Scene:
    """A pair to be judged: content and style, (1, 3, H, W) in [0, 1], at the size of results; the judges."""

    pair: Pair
    content: Tensor
    style: Tensor
    judging: dict[str, StyleJudge]

    @classmethod
    def of(cls, pair: Pair, size: int, judging: dict[str, StyleJudge]) -> "Scene":
        """The scene of a pair, whose results have ``size`` as their longer side. Raises InputError."""
        content, style = (load_picture(path, "pairs").rgb for path in (pair.content, pair.style))
        content = resize(content, *fit(content, size))
        return cls(pair, content, fitted_style(style, content), judging)

    def result(self, setting: str, weight: float | None, file: Path) -> Result:
        """The figures of a result in a file, resized to the content."""
        picture = resize(load_picture(file, "pairs").rgb, *self.content.shape[-2:])
        figures: dict[str, float] = {}
        for name, judge in self.judging.items():
            distances = judge.distances(picture, self.content, self.style)
            figures |= {f"{name} style": distances.style, f"{name} content": distances.content}
        if (of_style := speckle(self.style, strong_edges(self.style))) > 0:
            figures["speckle"] = speckle(picture, strong_edges(self.content)) / of_style
        if (layout := copied(self.judging["lite0"].network, picture, self.style)) is not None:
            figures["copied"] = layout
        if chroma(self.style) < GREY:
            figures["chroma"] = chroma(picture)
        return Result(setting, weight, self.pair.name, figures, str(file), hashes(self.pair))


def hashes(pair: Pair) -> tuple[str, ...]:
    """The SHA-256 of content and style."""
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in (pair.content, pair.style))


def find_pairs(args: argparse.Namespace) -> list[Pair]:
    """The pairs of a command line. Raises InputError."""
    inputs = args.output / "inputs"
    found = [] if args.pairs is None else listed_pairs(args.pairs)
    found += [] if args.no_drawn else drawn_pairs(inputs)
    found += [] if args.no_photographs else photograph_pairs(inputs)
    if not found:
        raise InputError("no-drawn", "no pairs are left: name some with --pairs.")
    return choose(found, args.only)


def run(args: argparse.Namespace) -> None:
    """Paint, judge, print and write. Raises InputError on the option, ComputationError."""
    settings = parse_settings(args.setting or ["default"])
    weights = [None] if args.style_weights is None else parse_weights(args.style_weights)
    asked: list[tuple[Setting, float | None]] = [(each, weight) for each in settings for weight in weights]
    for setting, weight in asked:
        setting.resolve(SHIPPED, "all", args.size, weight)
    pairs = find_pairs(args)
    inputs = {pair.name: hashes(pair) for pair in pairs}
    earlier = [] if args.against is None else first_setting(args.against, args.size, inputs)
    if earlier and earlier[0].setting in {each.name for each in settings}:
        raise InputError("against", f"its setting is {earlier[0].setting!r} too: give this one another name.")
    judging = judges(args.vgg, args.output / "weights")
    computing = Settings(device=args.device, precision=args.precision, threads=args.threads)

    found: dict[tuple[str, float | None], list[Result]] = {}
    published = []
    for place, pair in enumerate(pairs, 1):
        scene = Scene.of(pair, args.size, judging)
        for setting, weight in asked:
            params = setting.resolve(SHIPPED, pair.name, args.size, weight)
            painted = paint(pair, setting, params, computing, args.output / "pictures")
            result = scene.result(setting.name, painted.recipe["params"]["style_weight"], painted.path)
            found.setdefault((setting.name, weight), []).append(result)
            seconds = f"{painted.cpu_seconds:.1f} s of the processor"
            print(f"{place}/{len(pairs)} {pair.name}, {setting.name}: {seconds}", file=sys.stderr, flush=True)
        if pair.published is not None:
            published.append(scene.result(PUBLISHED, None, pair.published))
    results = earlier + [result for group in found.values() for result in group]
    write_run(Run(command=sys.argv[1:], size=args.size, results=results), args.output)
    show(args, results, published, list(judging), pairs)


def show(
    args: argparse.Namespace,
    results: Sequence[Result],
    published: Sequence[Result],
    names: Sequence[str],
    pairs: Sequence[Pair],
) -> None:
    """Print the tables, and draw curves and sheets. Raises InputError on ``blind``."""
    files = {pair.name: (pair.content, pair.style) for pair in pairs}
    common = common_pairs(results)
    print(pairs_table([*results, *published]), end="\n\n")
    print(means_table(common, published), end="\n\n")
    if len({each.style_weight for each in common}) > 1:
        print(curves_table(common, names), end="\n\n")
        draw_curves(common, names, len({each.pair for each in common}), args.output / "curves.png")
    contact_sheet([*results, *published], files, min(args.size, 256), args.output / "contact-sheet.jpg")
    if args.blind is not None:
        folder = args.output / "blind"
        count = write_blind([*results, *published], files, tuple(args.blind), folder, args.blind_seed)
        print(f"{count} blind pairs are in {folder}")


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        "python -m benchmarks.style_quality",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add: Callable[..., object] = found.add_argument
    add(
        "--setting", action="append", metavar="NAME:KEY=VALUE,...", help="options of `impasto style`; several"
    )
    add("--style-weights", metavar="A,B,...", help="paint at each of these instead of the setting's own")
    add("--size", type=int, default=256, help="longer side of the results in pixels")
    add("--pairs", type=Path, metavar="FOLDER", help="pairs.txt in it has lines: content style [published]")
    add("--no-drawn", action="store_true", help="without the drawn pairs")
    add("--no-photographs", action="store_true", help="without scikit-learn's photographs")
    add("--only", metavar="A,B,...", help="these pairs alone, by name: china+pen")
    add("--vgg", type=Path, metavar="FILE", help="VGG-19 judges too: torchvision's .pth, or safetensors")
    add(
        "--against",
        type=Path,
        metavar="FILE",
        help="figures.json of an earlier run; its first setting is first",
    )
    add("--blind", nargs=2, metavar=("A", "B"), help="write blind pairs of two settings; `published` is one")
    add("--blind-seed", type=int, help="order and sides; else they are random")
    add("-o", "--output", type=Path, default=Path("style-quality"), help="folder; style-quality")
    add("--device", default="cpu")
    add("--precision", choices=("auto", "float32", "bfloat16"), default="float32")
    add("--threads", type=int, help="threads of torch; else every core")
    return found


def main() -> None:
    """Parse the command line, run; errors name the option."""
    options = parser()
    args = options.parse_args()
    try:
        run(args)
    except InputError as error:
        options.error(f"--{error.field.replace('_', '-')}: {error.detail}")
    except ComputationError as error:
        sys.exit(error.detail)
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command goes on from here.")


if __name__ == "__main__":
    main()
