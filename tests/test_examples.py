"""The scripts of docs/examples, on a cluster of this machine."""

import io
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from kornia_srgan import Upscaler
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT
from tests.helpers.tiny_weights import save_tiny_weights


def example(name):
    return load_script(ROOT / f"docs/examples/{name}.py")


@pytest.fixture
def bucket(tmp_path):
    """Five pictures in two folders."""
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "below/a.jpg", "below/c.png", "below/c.jpg"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (7, 6, 3), np.uint8)).save(path)
    return tmp_path


@pytest.mark.slow
def test_ray_enlarges_a_bucket_once(bucket, capfd, monkeypatch):
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'kornia-srgan[ray]'")
    pytest.importorskip("ray.data", reason="ray.data is not installed: pip install 'kornia-srgan[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else the other tests leave its workers no time
    weights = save_tiny_weights(bucket)
    (bucket / "in/bad.png").write_bytes(b"no picture")
    script = example("ray_upscale")
    arguments = [str(bucket / "in"), str(bucket / "out"), "--weights", str(weights)]
    # Not by `runtime_env`: Ray would start further processes for it and leave its first ones idle.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    try:
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    except (
        Exception
    ) as error:  # it says only what it waited for: no shared memory, no free port, a busy machine
        pytest.skip(f"Ray does not start on this machine: {error}")
    try:
        assert script.main(arguments) == 1
        assert "5 of 6 pictures enlarged" in capfd.readouterr().out
        upscaler = Upscaler.from_pretrained(weights)
        for name, source in {
            "a_png": "a.png",
            "below/a_jpg": "below/a.jpg",
            "below/c_jpg": "below/c.jpg",
        }.items():
            result = Image.open(bucket / "out" / f"{name}_x4.png")
            expected = upscaler(Image.open(bucket / "in" / source))
            np.testing.assert_array_equal(np.asarray(result), np.asarray(expected))
        before = (bucket / "out/a_png_x4.png").stat().st_mtime_ns
        (bucket / "in/bad.png").unlink()
        assert script.main(arguments) == 0
        assert (bucket / "out/a_png_x4.png").stat().st_mtime_ns == before
    finally:
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_enlarges_a_folder(bucket, monkeypatch):
    pytest.importorskip("pyspark", reason="pyspark (400 MB) is no development extra: pip install pyspark")
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # else the first python3 of the PATH
    weights = save_tiny_weights(bucket)
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        found = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(str(bucket / "in"))
        rows = {row.path.rpartition("/in/")[2]: row.content for row in script_rows(found, weights)}
    finally:
        spark.stop()
    upscaler = Upscaler.from_pretrained(weights)
    assert len(rows) == 5
    for name, content in rows.items():
        expected = upscaler(Image.open(bucket / "in" / name))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(expected))


def script_rows(found, weights):
    return example("spark_upscale").enlarged(found, str(weights)).collect()
