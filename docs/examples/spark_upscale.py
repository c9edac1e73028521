"""Enlarge a folder of pictures with Spark: spark-submit docs/examples/spark_upscale.py IN OUT [WEIGHTS]."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pandas as pd
from PIL import Image
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import pandas_udf

from kornia_srgan import Upscaler


def enlarged(pictures: DataFrame, weights: str = "photo-x4") -> DataFrame:
    """The table of `binaryFile` with an enlarged PNG in `content`; a worker reads the weights once."""

    @pandas_udf("binary")  # type: ignore[call-overload]
    def enlarge(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        upscaler = Upscaler.from_pretrained(weights)
        for batch in batches:
            yield batch.map(lambda data: png(upscaler(Image.open(io.BytesIO(data)))))

    return pictures.select("path", enlarge("content").alias("content"))


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


if __name__ == "__main__":
    spark = SparkSession.builder.getOrCreate()
    found = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(sys.argv[1])
    enlarged(found, *sys.argv[3:4]).write.parquet(sys.argv[2])
