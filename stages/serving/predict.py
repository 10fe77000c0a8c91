"""Classify pictures with the trained model: a row per picture, in the order in which they are named.

Each PLACE is a picture, a folder, a zip or tar archive, a table that names files, or - for a list of files on
standard input. Pictures are decoded and resized as those were that trained the model. A file that cannot be
used is a row with its reason. Exit status: 0 if all pictures have answers; 3 if a row has an error instead;
2 is bad input or usage, without an output.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import PIL

from stages.decoding import picture
from stages.running import ending, options, outputs, progress
from stages.serving import classify, places, rows, unfinished

if TYPE_CHECKING:
    from stages.serving import model_folder

FAULTY, BAD_INPUT = 3, 2
MODEL = Path("data/model")
TOP = 3
COLUMN = "file_name"


def main() -> None:
    """Write the rows that the command line asks for to a file or to standard output."""
    arguments = _arguments()
    stopped = "interrupted"
    if arguments.output:
        stopped += "; the same command goes on where it was"
    with ending.told("predict", BAD_INPUT, interrupted=stopped):
        total, faulty = _predict(arguments)
        if faulty:
            _say(f"{faulty:,} of {total:,} rows have an error instead of an answer; see the column error")
    sys.exit(FAULTY if faulty else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.serving.predict", description=__doc__)
    parser.add_argument("places", nargs="+", metavar="PLACE", help="what to classify; - for standard input")
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="FOLDER", help=f"of the trained model ({MODEL})"
    )
    parser.add_argument(
        "--output",
        type=_output,
        metavar="FILE",
        help=f"a file in {', '.join(rows.WRITERS)}; else CSV is printed",
    )
    parser.add_argument("--top", type=_count, default=TOP, metavar="K", help=f"classes of each row ({TOP})")
    parser.add_argument("--column", default=COLUMN, help=f"of tables, which names the files ({COLUMN})")
    parser.add_argument(
        "--target-precision",
        type=_share,
        metavar="P",
        help="of the answers, such as 0.99; the label is unknown where the model is not sure enough",
    )
    parser.add_argument("--batch-size", type=_count, metavar="N", help="pictures in the model at a time")
    parser.add_argument(
        "--max-pixels",
        type=_count,
        default=picture.MAX_PIXELS,
        metavar="N",
        help=f"a picture with more is an error ({picture.MAX_PIXELS})",
    )
    arguments = options.parse(parser)
    if arguments.places.count(places.STANDARD_INPUT) > 1:
        parser.error("expected - once, as standard input can be read once")
    return arguments


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in rows.WRITERS:
        raise argparse.ArgumentTypeError(
            f"expected a file in {', '.join(rows.WRITERS)}, received {text!r}; leave it out to print CSV"
        )
    return path


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, received {text!r}")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, received {text!r}")
    return share


def _predict(arguments: argparse.Namespace) -> tuple[int, int]:
    """Write the rows; return how many there are, and how many of them have an error."""
    output = arguments.output
    if output:
        outputs.require_replaceable(output)
    listed = places.find(arguments.places, arguments.column)
    if output:
        places.require_outside(output, arguments.places, listed)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # without TensorFlow's notes on the processor
    from stages.serving import model_folder  # imports TensorFlow, which takes seconds

    trained = model_folder.load(arguments.model, arguments.max_pixels)
    _say(f"{arguments.model}: {trained}")
    size = arguments.batch_size or classify.batch_size(trained.form.shape)
    least = 0.0
    if arguments.target_precision:
        least = model_folder.threshold(arguments.model, arguments.target_precision)
        _say(f"the label is unknown where the confidence is below {least:.4f}")
    job = _Job(listed, trained, rows.Table(trained.classes, arguments.top, least), size)
    faulty = _to_file(job, output) if output else _to_standard_output(job)
    return job.total, faulty


class _Job(NamedTuple):
    listed: list[places.Place]
    trained: "model_folder.Trained"
    table: rows.Table
    size: int  # of a batch

    @property
    def total(self) -> int:
        return sum(len(place.names) for place in self.listed)

    @property
    def key(self) -> unfinished.Key:
        """What decides about the rows."""
        options = self.table.top, self.table.least, self.size, self.trained.form.max_pixels, PIL.__version__
        inputs = places.digest(self.listed)
        return {"model": self.trained.digest, "options": str(options), "inputs": inputs}


def _to_standard_output(job: _Job) -> int:
    """Print CSV; return how many rows have an error."""
    faults: list[str] = []
    batches = _batches(job)
    if not sys.stdout.isatty():  # where the rows themselves are the progress
        batches = _shown(batches, job)
    rows.write_csv(sys.stdout, job.table.columns, _noted(itertools.chain.from_iterable(batches), faults))
    return len(faults)


def _to_file(job: _Job, output: Path) -> int:
    """Write a file, after the rows that a stopped run has kept; return how many rows have an error."""
    faults: list[str] = []
    with unfinished.opened(output, job.key, job.size) as kept:
        if kept.remark:
            _say(f"{output}: {kept.remark}")
        for batch in _shown(_batches(job, kept.count), job, kept.count):
            kept.append(batch)
        with outputs.file(output) as partial:
            rows.WRITERS[output.suffix.lower()](partial, job.table.columns, _noted(kept.rows(), faults))
    return len(faults)


def _batches(job: _Job, first: int = 0) -> Iterator[list[rows.Row]]:
    """Yield the rows from a number on, a batch at a time."""
    contents = places.contents(job.listed, first)
    for batch in classify.batches(contents, job.trained.form, job.trained.probabilities, job.size):
        yield [job.table.row(*each) for each in batch]


def _shown(batches: Iterator[list[rows.Row]], job: _Job, first: int = 0) -> Iterator[list[rows.Row]]:
    """Show the progress of work that `first` rows are left out of."""
    with progress.bar(job.total, "predict", "pictures") as bar:
        bar.update(first)
        for batch in batches:
            yield batch
            bar.update(len(batch))


def _noted(found: Iterable[rows.Row], faults: list[str]) -> Iterator[rows.Row]:
    """Pass rows on, and add the paths of those with an error to a list."""
    for row in found:
        if row[-1] is not None:
            faults.append(row[0])
        yield row


def _say(line: str) -> None:
    print(f"predict: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
