"""What the engine computes, as hashes and numbers: to show that a change of the code changes no result.

    python tests/support/reference.py make OUT.json [--only SUBSTRING] [--tree PATH]
    python tests/support/reference.py compare OLD.json NEW.json [--only SUBSTRING]

``make`` runs small jobs of every kind through the ``impasto`` command of a checkout, this one or PATH, in
float32 and bfloat16, on one thread of the CPU, and writes down the SHA-256 of the pixels of all that they
make, and the numbers that they print. ``compare`` prints what differs, and exits with 1 if anything does.

Nothing else of the checkout is used: the same file serves code from before and after a change. Make both on
one machine with the same packages: other processors round otherwise. That a job is refused is a result too.
"""

import argparse
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageSequence

Json = dict[str, Any]
DTYPES = ("bfloat16", "float32")
# Of each case in bfloat16, which this processor may have to emulate, ten times slower.
BFLOAT16_STEPS = 2
# What differs from run to run, or says what made a result rather than what it is.
LEFT_OUT = ("compute_seconds", "recipe", "versions")

# By kind: its command, the pictures of a case that names none itself, and options that all cases begin with,
# of which a case may give others. The kinds that take longest are first.
COMMANDS = {
    "style_transfer": ("style", "content.png style.png", "--size 64 --steps 6"),
    "feature_visualization": ("feature-visualization", "", "--size 48 --steps 4"),
    "deep_dream": ("deep-dream", "content.png", "--size 72 --octaves 2 --steps 3"),
    "adversarial": ("adversarial", "", ""),
    "class_visualization": ("class-visualization", "", "--size 48 --steps 5 --target spiral"),
    "feature_inversion": ("feature-inversion", "content.png", "--size 64 --steps 5"),
    "texture_synthesis": ("texture-synthesis", "texture.png", "--size 64 --steps 8"),
}

# By kind, what follows the command, which is also what a case is called: pictures, then options. A case ends
# with its line or at a semicolon; {a|b} stands for one case with a and one with b.
CASES = {
    "style_transfer": """
        --preset {impasto|gatys-2016|neural-style} --network {palette|vgg19-random}
        --preset {impasto|gatys-2016|neural-style} --optimizer adam
        --preset {gatys-2016-code|crowson-2021|crowson-2023}
        --style-loss {mean_std|covariance|wasserstein|sliced_wasserstein|histogram}
        --style-loss {covariance|histogram} content.png style.png texture.png --style-weights 1,3
        --preset {gatys-2016|neural-style} --init content; --preset neural-style --pooling average
        --pooling max; --init noise --seed 7; --init image --init-image start.png
        --color content; --color content --init noise; --tv-weight 0; --style-scale {0.8|1.5}
        --content-weight 0 --init noise; --style-weight 0 --init noise
        --content-layers conv3_1 --style-layers relu1_2=1,pool2=0.5,conv3_2=2,relu4_1=0
        content.png style.png texture.png; content.png style.png texture.png --style-weights {1,3|0,1}
        grey16.png transparent.png tall.jpg palette.png; transparent.png style.png; tall.jpg style.png
        --size 64 --steps 20 --optimizer lbfgs; --size 132 --steps 5 --optimizer {lbfgs|adam}
        --preset neural-style --optimizer {adam|lbfgs} --style-weight 0 --tv-weight 1e4 --steps 4
    """,
    "deep_dream": """
        content.png; transparent.png; --network vgg19-random; --jitter 0; --jitter 5 --seed 11
        --layers relu1_2; --layers conv3_2=1,pool3=0.5,relu4_1=0; --laplacian-levels {0|1}
        --layers {relu3_2|pool3|conv4_1} --channels 3,17; --layers relu3_2,relu4_1 --strongest 4
        --guide style.png; --guide style.png --layers relu2_2=1,relu4_1=2
        --octaves 7 --octave-scale 1.8 --strength 4; tall.jpg --octaves 1
        --variations 2; transparent.png --variations 2 --steps 2; --frames 3 --steps 2 -o out.mp4
        --strongest 2 --variations 2; --frames 2 --steps 2 --zoom 1.1 --rotation 5 --fps 10 -o out.webp
        transparent.png --frames 2 --steps 2 --zoom 0.9; clip.mp4 --steps 2 -o out.mp4
        clip.mp4 --steps 2 --frames 2 --blend 0 --fps 5 -o out.webp
        clip.webp --steps 2 --blend 0.5 -o out.mp4; clip.mp4 --steps 1 --frames 2 --guide style.png -o out.mp4
    """,
    "class_visualization": """
        --preset {lucid|maco --size 64|simonyan-2014 --step-size 0.003|yosinski-2015 --step-size 0.003}
        --target {17|spiral,leopard,3|spiral,leopard --variations 2}; --size 128 --steps 2
        --transforms none; --looks 3; --variations 3 --seed 5
        --target 0,1 --variations 2 --preset simonyan-2014 --noise 0.02
        --preset simonyan-2014 --transforms {roll=8|pad=6|jitter=6|scale=0.2|rotate=15|crop=0.6|noise=0.1}
        --transforms roll=4,pad=4,jitter=4,scale=0.1,rotate=5,crop=0.8,noise=0.05
        --preset simonyan-2014 --step-size 0.003 --{decay 0.1|blur 1.5 --blur-every 2 --noise 0.1}
        --preset {lucid|simonyan-2014 --step-size 0.003} --l2-weight 1 --p-weight 0.1 --tv-weight 0.5
    """,
    "feature_visualization": """
        --layer relu4_1 --channels 0-2; --layer conv3_2 --channels 1,5; --layer pool3 --channels 4; --steps 2
        --layer logits --channels 3,9; --network vgg19-random --layer conv4_1 --channels 0-2
        --objective neuron --layer {relu4_1|conv4_2|logits} --channels 0,3
        --objective layer --layer conv4_1; --objective layer --layer relu3_1 --variations 2
        --objective direction --layer conv3_2 --image content.png --sign {negative|both}
        --objective {direction|caricature} --layer {relu4_1|pool2|conv3_1|logits} --image style.png
        --objective caricature --layer conv3_1 --image content.png --transforms none --variations 2
        --terms {conv4_1:7=1,conv3_1:2=-0.5|relu4_1:7:neuron=1,conv3_1=2,logits:4=0.1|relu3_1:5}
        --layer conv4_1 --channels 0,1 --{sign negative|sign both --variations 2|variations 3 --diversity 10}
        --layer relu3_1 --channels 0,1 --sign both; --terms conv4_1:7,conv3_1:2 --variations 2 --diversity 5
        --layer conv4_1 --channels 7 --preset {lucid|maco|simonyan-2014|yosinski-2015}
        --layer conv3_1 --channels 3 --transforms none --parametrization {pixels|fourier|phase} \
--optimizer {gradient|adam|nadam|lbfgs}
        --terms conv3_1:3 --transforms jitter=8 --parametrization {pixels|phase} --optimizer {gradient|nadam}
    """,
    "feature_inversion": """
        --layers relu2_2,relu4_1 --parametrization {pixels|fourier} --optimizer {adam|lbfgs}
        content.png; --layers {pool3|conv3_1,logits|relu2_2,relu4_1 --variations 2 --seed 3}
        --layers relu3_1 --{p-weight 0 --tv-weight 0|steps 20|steps 20 --p-weight 1e5|p-weight 0.01}
        --layers relu3_1 --parametrization pixels --tv-weight 0.1; --network vgg19-random
    """,
    "texture_synthesis": """
        {texture.png|--seamless} --size 64; {texture.png|--seamless} --size 96 --steps 6
        --aspect 1.6 --seed 4; --aspect 0.7 --size 80 --seamless; --source-size {80|96 --seamless}
        --tv-weight 0; --layers conv1_1=1,relu2_1=0.5,pool2=2,relu3_1=0; --pooling max
        --variations 2{| --seamless}; --steps 20 --layers relu1_1,relu2_1; --network vgg19-random
    """,
    "adversarial": """
        --method fgsm --image content.png --size 48{| --target leopard| --epsilon 30}
        --method {bim|pgd-linf|pgd-l2} --image content.png --size 48 --steps 5{| --target leopard}
        --method bim --image style.png --steps 3; --method bim --image content.png --size 48 --epsilon 2
        --method pgd-linf --image content.png --size 48 --steps 3 --{seed 9 --step-size 1|variations 2}
        --method pgd-l2 --image content.png --size 48 --steps 3 --{epsilon 500|variations 2}
        --method fooling --target spiral --size 64 --steps {5|3 --variations 2|40 --confidence 0.05}
        --method linear; --method linear --image content.png --target gear --against fern --epsilon 9
        --method linear --image content.png --target fern --against gear --epsilon 9
    """,
}


def make(out: Path, tree: Path, only: str) -> None:
    """Run every case whose name has ``only`` in it with the code of ``tree``."""
    parts = [(kind, dtype) for kind in COMMANDS for dtype in DTYPES if _cases(kind, only)]
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(lambda part: _start(tree, *part, only), parts))
    results: dict[str, Json] = {}
    for (_, dtype), cases in zip(parts, made, strict=True):
        for name, result in cases.items():
            results.setdefault(name, {})[dtype] = result
    out.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    refused = [f"refused: {name}" for name, of in results.items() if any("error" in of[each] for each in of)]
    print(f"{len(results)} cases are in {out}", *refused, sep="\n")


def compare(old: Path, new: Path, only: str) -> int:
    """Print what differs between two files that :func:`make` wrote; 1 if anything does."""
    before, after = ({k: v for k, v in json.loads(p.read_text()).items() if only in k} for p in (old, new))
    one, other = dict(_flat(before)), dict(_flat(after))
    places = [place for place in {**one, **other} if one.get(place) != other.get(place)]
    for place in places:
        print(f"{place}: {one.get(place, 'not there')} -> {other.get(place, 'not there')}")
    print(f"{len(before.keys() | after.keys())} cases, {len(places)} differences")
    return 1 if places else 0


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every number and text in a JSON value, with its place."""
    if isinstance(value, dict | list) and value:
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(each, f"{place} > {name}" if place else name)
    else:
        yield place, json.dumps(value)


def _cases(kind: str, only: str) -> dict[str, str]:
    """The cases of a kind whose names have ``only`` in them: what follows the command, by name."""
    lines = [each.strip() for line in CASES[kind].splitlines() for each in line.split(";") if each.strip()]
    choices = [[part.split("|") for part in re.split("[{}]", line)] for line in lines]
    cases = ["".join(parts) for line in choices for parts in itertools.product(*line)]
    return {f"{kind} {case}": case for case in cases if only in f"{kind} {case}"}


def _start(tree: Path, kind: str, dtype: str, only: str) -> dict[str, Json]:
    """Run the cases of a kind in a process of their own, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="reference-") as folder:
        given = {"DEVICE": "cpu", "THREADS": "1", "PRECISION": dtype, "DATA_DIR": str(Path(folder, "data"))}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IMPASTO_")}
        environment |= {f"IMPASTO_{name}": value for name, value in given.items()}
        environment |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        # -P: what lies beside this file is not to be imported in the place of packages of the same name.
        command = [sys.executable, "-P", str(Path(__file__).resolve()), "run", "cases.json"]
        command += ["--kind", kind, f"--only={only}", "--tree", str(tree)]
        subprocess.run(command, env=environment, cwd=folder, check=True)
        cases: dict[str, Json] = json.loads(Path(folder, "cases.json").read_text())
    print(f"{kind} {dtype}: {len(cases)} cases", flush=True)
    return cases


def run(out: Path, tree: Path, kind: str, only: str) -> None:
    """Run the cases of a kind one after the other, here and now, in the current folder."""
    scripts = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["impasto"].partition(":")
    imported = importlib.import_module(module)
    if not Path(imported.__file__ or "").resolve().is_relative_to(tree):
        sys.exit(f"{module} comes from {imported.__file__}, which is not in {tree}")
    _draw_inputs()
    main: Callable[[], None] = getattr(imported, function)
    results = {name: _run_case(main, kind, case) for name, case in _cases(kind, only).items()}
    out.write_text(json.dumps(results))


def _run_case(main: Callable[[], None], kind: str, case: str) -> Json:
    """What a call of the command makes: the hashes of its files, and its numbers; or its error."""
    command, usual, options = COMMANDS[kind]
    own, _, output = case.partition("-o ")
    pictures = usual if own.startswith("-") else ""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        line = f"impasto {command} {pictures} {options} {own} --json -o {folder}/{output or 'out.png'}"
        if os.environ["IMPASTO_PRECISION"] == "bfloat16":
            line = re.sub(r"--steps \d+", f"--steps {BFLOAT16_STEPS}", line)
        sys.argv = line.split()
        printed, said = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(printed), redirect_stderr(said):
                main()
        except SystemExit as stop:
            if stop.code:
                return {"error": said.getvalue().strip().splitlines()[-1:]}
        except Exception as error:
            return {"error": repr(error)}
        hashes = {path.name: _hash(path) for path in Path(folder).iterdir()}
    result = json.loads(printed.getvalue())
    return {"pictures": hashes, "result": {name: result[name] for name in result if name not in LEFT_OUT}}


def _hash(path: Path) -> str:
    """The SHA-256 of all frames of a picture or video: of each its mode, size, time and pixels."""
    digest = hashlib.sha256()
    if path.suffix == ".mp4":
        with av.open(path) as container:
            for frame in container.decode(video=0):
                head = f"{frame.format.name} {frame.width} {frame.height} {frame.time}"
                digest.update(head.encode() + frame.to_ndarray().tobytes())
    else:
        with Image.open(path) as image:
            for shown in ImageSequence.Iterator(image):
                pixels = shown.tobytes()  # decodes it, and only then says how long it is shown
                digest.update(f"{shown.mode} {shown.size} {shown.info.get('duration')}".encode() + pixels)
    return digest.hexdigest()


def _draw_inputs() -> None:
    """The pictures and clips of all cases, in the current folder."""
    sizes = {"content": (96, 72), "style": (90, 80), "texture": (70, 70), "start": (80, 60)}
    content, style, *_ = pictures = [_picture(*size, number) for number, size in enumerate(sizes.values())]
    for name, levels in zip(sizes, pictures, strict=True):
        Image.fromarray(levels).save(f"{name}.png")
    Image.fromarray(content[..., 0].astype(np.uint16) * 257 + 19).save("grey16.png")
    Image.fromarray(style).quantize(16).save("palette.png")
    alpha = np.arange(72)[:, None] * 5 + np.arange(96) * 2
    Image.fromarray(np.dstack([content, alpha.clip(0, 255).astype(np.uint8)])).save("transparent.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(content).save("tall.jpg", exif=turned, quality=92)
    frames = [np.roll(content, 6 * number, 1) for number in range(3)]
    first, *others = map(Image.fromarray, frames)
    first.save("clip.webp", save_all=True, append_images=others, duration=80, lossless=True)
    with av.open("clip.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        for levels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="rgb24")))
        container.mux(stream.encode())


def _picture(width: int, height: int, number: int) -> np.ndarray:
    """A picture (height, width, 3) of gradients, waves, a disc and some grain; integers alone."""
    y, x = np.mgrid[:height, :width]
    waves = (x * x * (number + 1) // 16 + y * y * (3 - number) // 12 + x * y * number // 9) % 256
    levels = np.dstack([x * 255 // width, waves, y * 255 // height])
    levels[(x - 30 - 9 * number) ** 2 + (y - 33) ** 2 < 400] = (240, 200 - 50 * number, 30)
    grain = np.random.default_rng(number).integers(-12, 13, levels.shape)
    return (np.roll(levels, number, 2) + grain).clip(0, 255).astype(np.uint8)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["make", "compare", "run"], metavar="make|compare")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="only cases with this in their name")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[2], help="whose code is run")
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if len(given.files) != (2 if given.what == "compare" else 1):
        parser.error("make takes one file, compare two")
    if given.what == "compare":
        return compare(*given.files, given.only)
    if given.what == "make":
        make(*given.files, given.tree.resolve(), given.only)
    else:
        run(*given.files, given.tree, given.kind, given.only)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
