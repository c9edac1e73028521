"""A clip through `enlarge_clip` beside the network alone, and its flicker with and without `--steady`.

    python -m benchmarks.upscale_video --photos FOLDER --weights photo-x4

The clip is made from two photographs: a window pans and zooms over each. Its frames are reduced, encoded as
H.264 and enlarged again. Printed are

- frames a second of the whole and of the network alone, in processor time of one thread each, so that other
  work on the machine does not count: `share` is the network's part of all processor time
- `flicker`: see `kornia_srgan.video.steady.flicker`; motion is read from frames without compression
- PSNR to the frames before they were reduced
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from kornia_srgan.data.images import find_images
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.steady import warping_error


def made_frames(photos: Path, count: int, width: int, height: int) -> list[Image.Image]:
    """Frames four times as large as the clip: pan and zoom over two photographs."""
    wide = [p for p in find_images([photos]) if min(Image.open(p).size) >= 2 * height]
    frames = []
    for number in range(count):
        part, step = divmod(number, -(-count // 2))
        photo = Image.open(wide[part]).convert("RGB")
        zoom = 0.75 - 0.004 * step
        side = min(photo.width / width, photo.height / height) * zoom
        left, top = 0.6 * step * photo.width / 640, 0.3 * step * photo.width / 640
        box = (left, top, left + width * side, top + height * side)
        frames.append(photo.resize((4 * width, 4 * height), Image.Resampling.LANCZOS, box=box))
    return frames


def write(path: Path, frames: list[Image.Image], crf: int) -> None:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as output:
        film = output.add_stream("libx264", rate=Fraction(25), options={"crf": str(crf)})
        film.width, film.height, film.pix_fmt = *frames[0].size, "yuv420p"
        context = film.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for image in frames:
            frame = av.VideoFrame.from_image(image)
            output.mux(film.encode(frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)))
        output.mux(film.encode())


class Timed:
    """An enlarger that counts the processor time of its thread."""

    def __init__(self, inner: Any, clock: dict[str, float]) -> None:
        self._inner, self._clock = inner, clock
        self.restore = inner.restore

    def size(self, height: int, width: int) -> tuple[int, int]:
        return self._inner.size(height, width)

    def notes(self, height: int, width: int) -> tuple[str, ...]:
        return self._inner.notes(height, width)

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Timed:
        return Timed(self._inner.tuned(pixels, quality), self._clock)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        begun = time.thread_time()
        whole = list(self._inner.bands(pixels))
        self._clock["network"] += time.thread_time() - begun
        yield from whole


def decoded(path: Path) -> list[Pixels]:
    """Frames as RGB."""
    with av.open(str(path)) as clip:
        return [f.to_ndarray(format="rgb24", src_colorspace=1) for f in clip.decode(video=0)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--weights", nargs="+", default=["photo-x4"])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, nargs=2, default=(160, 96))
    parser.add_argument("--crf", type=int, default=24)
    parser.add_argument("--dtype", default="auto")
    arguments = parser.parse_args()
    truth = made_frames(arguments.photos, arguments.frames, *arguments.size)
    small = [t.resize(tuple(arguments.size), Image.Resampling.BICUBIC) for t in truth]
    clean = [np.asarray(s) for s in small]
    print("weights steady restore frames/s network/s share flicker psnr")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.mp4"), Path(folder, "b.mp4")
        write(source, small, arguments.crf)
        for weights in arguments.weights:
            upscaler = Upscaler.from_pretrained(weights, dtype=arguments.dtype)
            for steady in (0.0, 0.5, 1.0):
                clock = {"network": 0.0}
                begun: list[float] = []
                outcome = enlarge_clip(
                    source,
                    target,
                    Timed(upscaler, clock),
                    VideoOptions(steady=steady),
                    on_start=lambda *_, begun=begun: begun.append(time.process_time()),
                )
                total = time.process_time() - begun[0]
                frames = decoded(target)
                errors = [
                    np.mean((f.astype(float) - np.asarray(t)) ** 2)
                    for f, t in zip(frames, truth, strict=True)
                ]
                psnr = np.mean([10 * np.log10(255**2 / e) for e in errors])
                rates = len(frames) / total, len(frames) / clock["network"]
                restore = "-" if outcome.restore is None else f"{outcome.restore:.2f}"
                print(
                    f"{weights} {steady} {restore} {rates[0]:.3g} {rates[1]:.3g} {rates[0] / rates[1]:.2f} "
                    f"{warping_error(frames, clean):.2f} {psnr:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
