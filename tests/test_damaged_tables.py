"""Tables that are changed at random give rows or one error."""

import io

import hypothesis
import pandas as pd
import pytest

from stages.datasets import table
from stages.running import errors, paramfile
from tests import damaged, pictures

ROWS = pd.DataFrame(
    {
        "file": ["cat/1.png", "cat/2.png", "dog/1.png"],
        "label": ["cat", "cat", "dog"],
        "split": "train",
        "n": [1, 2.5, None],
    }
)


def parquet(**options) -> bytes:
    buffer = io.BytesIO()
    ROWS.to_parquet(buffer, **options)
    return buffer.getvalue()


TABLES = {
    "labels.csv": [ROWS.to_csv(index=False).encode(), ROWS.to_csv(index=False, sep=";").encode()],
    "labels.tsv": [ROWS.to_csv(index=False, sep="\t").encode()],
    "labels.jsonl": [ROWS.to_json(orient="records", lines=True).encode()],
    "labels.parquet": [
        parquet(),
        parquet(compression="gzip"),
        parquet(use_dictionary=False, compression=None),
    ],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return pictures.write(tmp_path_factory.mktemp("mine"), *ROWS["file"])


@pytest.mark.parametrize("name", TABLES)
@hypothesis.settings(max_examples=60)
@hypothesis.given(data=hypothesis.strategies.data())
def test_a_changed_table_is_read_or_refused(root, name, data):
    content = data.draw(damaged.changed(TABLES[name]))
    (root / name).write_bytes(content)
    options = paramfile.check(
        table.Options,
        {**pictures.TABLE, "table": name, "columns": {**pictures.COLUMNS, "split": "split"}},
        "x",
    )
    try:
        listed = table.entries(root, options)
    except errors.StageError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000
    else:
        assert {entry.path for entry in listed.entries} <= set(ROWS["file"])
        if content in TABLES[name]:
            assert [(entry.path, entry.label) for entry in listed.entries] == list(
                zip(ROWS["file"], ROWS["label"], strict=True)
            )
