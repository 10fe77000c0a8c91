"""Results as the pipeline writes them are read, and damaged ones are refused with one message."""

import re

import pytest

from stages.review import results, revision
from stages.running import documents, errors

FILES = {
    "reports/metrics.json": '{"accuracy": 0.6667, "images": 3}',
    "reports/predictions.csv": "index,actual,predicted,probability\n7,NA,NA,0.9\n2,NA,b,0.5\n11,b,b,1.0\n",
    "reports/history.csv": "epoch,loss,accuracy,val_loss\n1,0.9,0.5,\n",
    "reports/environment.json": '{"device": "cpu"}',
    "reports/data.json": None,
}
HEADER = "index,actual,predicted,probability\n"


def read(**changes):
    """Read FILES with some of them changed, by their stem; None leaves one out."""

    def find(path: str) -> revision.File | None:
        text = changes.get(path.split("/")[1].split(".")[0], FILES[path])
        if text is None:
            return None
        content = text.encode("latin-1")
        return revision.File(documents.PLAIN_FILE, len(content), lambda: content)

    return results.read(revision.Revision("main", find))


def test_results_are_read():
    found = read()
    assert found.predictions.to_dict("list") == {
        "index": [7, 2, 11],
        "actual": ["NA", "NA", "b"],
        "predicted": ["NA", "b", "b"],
        "probability": [0.9, 0.5, 1.0],
    }
    assert (found.right, found.images, found.accuracy) == (2, 3, 2 / 3)
    assert found.history["val_loss"].isna().all()
    assert found.environment == {"device": "cpu"}


def test_without_predictions_the_counts_are_those_of_metrics():
    found = read(predictions=None, history=None, environment=None)
    assert (found.right, found.images) == (2, 3)
    assert found[1:] == (None, None, None, [])


def test_classes_have_the_order_of_the_labels():
    assert read(data='{"classes": ["c", "b", "NA"]}').classes == ["c", "b", "NA"]


@pytest.mark.parametrize("data", [None, "{}", '{"classes": 3}'])
def test_without_a_data_report_classes_are_from_predictions(data):
    assert read(data=data).classes == ["NA", "b"]


def test_without_metrics_there_are_no_results():
    assert read(metrics=None) is None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", "expected a table"),
        ("index,actual\n1,cat\n", "expected the columns"),
        (HEADER, "expected a row for each test image"),
        (HEADER + "1,cat,cat,0.9\n1,cat,cat,0.9\n", "each index once.*in line 3"),
        (HEADER + "one,cat,cat,0.9\n", "a whole number.*'one,cat,cat,0.9' in line 2"),
        (HEADER + "1,cat,,0.9\n", "a class name"),
        (HEADER + "1,cat,cat,nan\n", r"a probability in 0\.\.1"),
        (HEADER + "1,cat,cat,1.1\n", r"a probability in 0\.\.1"),
        (HEADER + "1,2,cat,cat,0.9\n", "more values than columns"),
        (HEADER + "1,cat,cat,0.9\n2,cat,cat,0.9,1,2\n", "expected a table"),
        (HEADER + "1,cat\n", "expected"),
        ("<<<<<<< HEAD\n", "expected the columns"),
        ("\xff\x00", "expected"),
        (
            HEADER + "".join(f"{n},c{n},c0,1\n" for n in range(10_001)),
            "at most 10,000 classes, received 10,001",
        ),
    ],
)
def test_damaged_predictions_are_refused(table, expected):
    with pytest.raises(errors.BadInput, match=rf"\Areports/predictions.csv of main: .*{expected}.*\Z"):
        read(predictions=table)


@pytest.mark.parametrize(
    ("stem", "text"),
    [
        ("metrics", "{"),
        ("metrics", "[]"),
        ("metrics", "\xff"),
        ("metrics", '{"accuracy": 2, "images": 5}'),
        ("metrics", '{"accuracy": 0.5, "images": true}'),
        ("metrics", '{"accuracy": 0.5}'),
        ("environment", "none"),
        ("history", "epoch,loss,accuracy\n1,a,b\n"),
        ("history", "epoch,loss\n1,2\n"),
        ("history", "epoch,loss,accuracy\n1,inf,0.5\n"),
        ("history", "x" * 5000),
    ],
)
def test_other_damaged_files_are_refused(stem, text):
    with pytest.raises(errors.BadInput, match=re.escape(f"reports/{stem}.")):
        read(**{stem: text})
