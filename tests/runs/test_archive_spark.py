"""The documented function for Spark, on a Spark of this computer; skipped where Java or pyspark is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.runs.archive.judging import Job, judge, load_model
from lightdet.runs.archive.spark import SCHEMA, map_in_pandas
from lightdet.runs.archive.table import COLUMNS, schema

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")


def test_the_columns_are_those_of_a_run() -> None:
    top, depth = "", 0
    for letter in SCHEMA:  # without what is within the brackets
        depth += (letter == "<") - (letter == ">")
        top += letter if depth == 0 else ""
    columns = [column.split() for column in top.replace(">", "").split(", ")]
    assert tuple(name for name, _ in columns) == COLUMNS
    words = {"string": "string", "int": "int32", "float": "float", "array": "list"}
    assert all(str(field.type).startswith(words[kind]) for field, (_, kind) in zip(schema(), columns, strict=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_rows_are_those_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java: apt install default-jre-headless")
    sql = pytest.importorskip("pyspark.sql", reason="pip install pyspark pandas")
    pytest.importorskip("pandas", reason="pip install pyspark pandas")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    save_small_detector(tmp_path / "m.safetensors", ["scratch", "dent"], bias=0.0)
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.new("RGB", (50, 40), (40 * number, 0, 0)).save(tmp_path / f"in/{number}.png")
    (tmp_path / "in/bad.png").write_bytes((tmp_path / "in/0.png").read_bytes()[:60])
    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        pictures = spark.read.format("binaryFile").load(str(tmp_path / "in")).select("path", "content").coalesce(1)
        rows = pictures.mapInPandas(map_in_pandas([tmp_path / "m.safetensors"], batch=2), SCHEMA)
        rows.write.parquet(str(tmp_path / "out"))
    finally:
        spark.stop()
    read = [
        row for path in (tmp_path / "out").glob("*.parquet") for row in parquet.ParquetFile(path).read().to_pylist()
    ]
    model = load_model(tmp_path / "m.safetensors", device="cpu", threads=1)
    jobs = [Job(f"file:{path}", path) for path in (tmp_path / "in").iterdir()]
    expected = {row["source"]: {name: row.get(name) for name in COLUMNS} for row in judge([model], jobs)}
    assert len(read) == len(expected) == 6
    for row in read:
        wanted = expected[row["source"]]
        assert {**row, "detections": None, "score": None} == {**wanted, "detections": None, "score": None}
        assert row["score"] == (None if wanted["score"] is None else pytest.approx(wanted["score"], abs=1e-4))
        assert len(row["detections"] or ()) == len(wanted["detections"] or ())
