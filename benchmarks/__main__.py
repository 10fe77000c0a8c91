"""Run a benchmark: python -m benchmarks NAME [OPTION ...]"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from stages.running import errors

NAMES = dict.fromkeys(
    [
        "step",
        "data_path",
        "pictures",
        "encoded",
        "predict",
        "kernels",
        "learning",
        "transfer",
        "exports",
        "workers",
    ],
    "speed",
)
NAMES |= dict.fromkeys(
    [
        "accuracy",
        "ablation",
        "calibration",
        "selection",
        "tutorials",
        "picture",
        "killed",
        "seeds",
        "unequal",
        "growth",
    ],
    "suites",
)
NAMES |= {"imagenet": "pretrained"}


def main(words: Sequence[str]) -> None:
    """Run the benchmark that the first word names with the others as its options, or list them all."""
    name = words[0] if words else "--help"
    if name in ("-h", "--help"):
        print(f"{__doc__}\n\n" + "\n".join(f"  {each:12}{_summary(each)}" for each in NAMES))
        return
    try:
        if name not in NAMES:
            raise errors.unknown("benchmark", name, NAMES)
        importlib.import_module(f"benchmarks.{NAMES[name]}.{name}").main(words[1:])
    except errors.StageError as error:
        sys.exit(f"{name}: error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: stopped; finished runs are kept")


def _summary(name: str) -> str:
    """The first line of a benchmark's file, which is read and not imported: TensorFlow takes seconds."""
    text = Path(__file__).with_name(NAMES[name]).joinpath(f"{name}.py").read_text(encoding="utf-8")
    return text.partition("\n")[0].strip('"')


if __name__ == "__main__":
    main(sys.argv[1:])
