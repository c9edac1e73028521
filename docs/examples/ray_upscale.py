"""Enlarge a bucket of pictures on a Ray cluster.

    python docs/examples/ray_upscale.py s3://photos/in s3://photos/large --actors 8 --gpus 1

IN and OUT are folders or any addresses that fsspec knows (s3://, gs://, abfs://). Every actor loads the
weights once. Results that are there are left alone, so a second run does what a first one did not.
"""

from __future__ import annotations

import argparse
import io
import posixpath
from typing import Any

import fsspec
import numpy as np
import ray
from PIL import Image

from kornia_srgan import Upscaler

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")


class Enlarge:
    """An actor. Ray pickles `upscaler` as a name and options; its weights are read here, once."""

    def __init__(self, upscaler: Upscaler) -> None:
        self.upscaler = upscaler

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Enlarge the pictures at `source` to `target`, and say what became of each."""
        pairs = zip(batch["source"], batch["target"], strict=True)
        return {**batch, "error": np.array([self.enlarge(str(s), str(t)) for s, t in pairs], dtype=object)}

    def enlarge(self, source: str, target: str) -> str:
        """Enlarge one picture; returns what went wrong, if anything did."""
        try:
            with fsspec.open(source, "rb") as file:
                picture = Image.open(io.BytesIO(file.read()))
            data = io.BytesIO()
            self.upscaler(picture).save(data, "PNG", icc_profile=picture.info.get("icc_profile"))
            put(target, data.getvalue())
        except Exception as error:  # one bad picture of a million must not stop the others
            return f"{type(error).__name__}: {error}"
        return ""


def put(target: str, data: bytes) -> None:
    """Write a file whole: object stores do so by themselves; on a disk it gets its name at the end."""
    store, path = fsspec.url_to_fs(target)
    if "file" in store.protocol:
        store.makedirs(posixpath.dirname(path), exist_ok=True)
        store.pipe_file(f"{path}.part", data)
        store.mv(f"{path}.part", path)
    else:
        store.pipe_file(path, data)


def missing(source: str, output: str, scale: int) -> list[dict[str, str]]:
    """The pictures below `source` that have no result below `output`, each with the place for it."""
    store, root = fsspec.url_to_fs(source)
    results, below = fsspec.url_to_fs(output)
    there = set(results.find(below)) if results.exists(below) else set()
    todo = []
    for path in store.find(root):
        stem, suffix = posixpath.splitext(posixpath.relpath(path, root))
        target = posixpath.join(below, f"{stem}{suffix.replace('.', '_')}_x{scale}.png")
        if suffix.lower() in SUFFIXES and target not in there:
            todo.append({"source": store.unstrip_protocol(path), "target": results.unstrip_protocol(target)})
    return todo


def main(arguments: list[str] | None = None) -> int:
    """Run; returns how many pictures failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--weights", default="photo-x4")
    parser.add_argument("--actors", type=int, default=1, help="processes; one for each GPU")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of each actor")
    parser.add_argument("--batch", type=int, default=8, help="pictures that an actor is handed at once")
    options = parser.parse_args(arguments)

    upscaler = Upscaler.from_pretrained(options.weights)
    todo = missing(options.input, options.output, upscaler.scale)
    if not todo:
        print("nothing to do")
        return 0
    blocks = min(len(todo), max(4 * options.actors, len(todo) // 1000))
    done = ray.data.from_items(todo, override_num_blocks=blocks).map_batches(
        Enlarge,
        fn_constructor_args=(upscaler,),
        batch_size=options.batch,
        compute=ray.data.ActorPoolStrategy(size=options.actors),
        num_gpus=options.gpus or None,
    )
    failed = 0
    for row in done.iter_rows():  # rows come as they are done; only names, no pictures
        if row["error"]:
            failed += 1
            print(f"{row['source']}: {row['error']}")
    print(f"{len(todo) - failed} of {len(todo)} pictures enlarged")
    return failed


if __name__ == "__main__":
    raise SystemExit(3 if main() else 0)
