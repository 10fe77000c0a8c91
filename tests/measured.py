"""Made-up results of benchmarks, as the benchmarks write them."""

import json

from benchmarks import machine, runs


def run(config="cifar10", overrides=None, seed=0, accuracy=0.7, seconds=60.0, **changes):
    """One run, complete, of this machine."""
    here = machine.describe()
    given = {
        "config": config,
        "overrides": overrides or {},
        "seed": seed,
        "fingerprint": "f" * 16,
        "accuracy": accuracy,
        "val_accuracy": accuracy + 0.01,
        "metrics": {"above_half": {"precision": accuracy + 0.1}, "macro": {"precision": accuracy + 0.002}},
        "parameters": 1_234_567,
        "epochs": 10,
        "seconds_per_epoch": seconds / 10,
        "training_seconds": seconds,
        "environment": {
            "processor": here["processor"],
            "cores": here["cores"],
            "precision": "float32",
            "tensorflow": "2.21.0",
        },
    }
    return runs.Run.model_validate({**given, **changes})


def write(path, measured):
    """A file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": [each.model_dump() for each in measured]}))
