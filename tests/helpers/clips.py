"""Small clips for tests, made frame by frame, and enlargers whose results are known."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

TICK = Fraction(1, 12800)
EVEN = tuple(512 * n for n in range(8))
UNEVEN = (0, 512, 700, 1536, 2048, 2900, 3000, 4096)
CHAPTERS = ((0, 100, "One"), (100, 320, "Two"))


def quick(**options):
    """Options that encode fast, and well enough to see what is in a frame."""
    from kornia_srgan.video.options import VideoOptions

    return VideoOptions(**{"preset": "ultrafast", "crf": 8, **options})


def gradient(number, height=24, width=32):
    """A frame that tells its number: a ramp that moves, and a corner that tells top left."""
    y, x = np.mgrid[:height, :width]
    frame = (
        np.stack([40 + 4 * x, 60 + 5 * y, 90 + 10 * number + 0 * x], axis=-1).clip(0, 235).astype(np.uint8)
    )
    frame[:6, :6] = 235
    return frame


def make_clip(
    path,
    *,
    frames=None,
    pts=EVEN,
    codec="libx264",
    pixel_format="yuv420p",
    tags=(1, 1, 1, 1),
    aspect=None,
    matrix=None,
    sound=False,
    title="",
    chapters=(),
    interlaced=False,
    options=None,
):
    """Write a clip; tags are primaries, transfer, matrix and range (H.273)."""
    import av

    frames = [gradient(n) for n in range(len(pts))] if frames is None else frames
    with av.open(str(path), "w") as output:
        film = output.add_stream(
            codec, rate=Fraction(25), options=options or {"crf": "1", "preset": "veryfast"}
        )
        first = frames[0]
        height, width = first.shape[:2] if isinstance(first, np.ndarray) else (first.height, first.width)
        film.width, film.height, film.pix_fmt = width, height, pixel_format
        context = film.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        context.time_base = film.time_base = TICK
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if matrix is not None:
            film.set_display_matrix(matrix)
        if interlaced:
            context.options = {**context.options, "x264-params": "tff=1"}
        voice = output.add_stream("aac", rate=44100, layout="mono") if sound else None
        output.metadata.update({"title": title} if title else {})
        output.set_chapters(
            [
                {
                    "id": n,
                    "start": start,
                    "end": end,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": text},
                }
                for n, (start, end, text) in enumerate(chapters, 1)
            ]
        )
        for time, pixels in zip(pts, frames, strict=True):
            frame = pixels if isinstance(pixels, av.VideoFrame) else as_frame(pixels, pixel_format, tags)
            frame.pts, frame.time_base = time, TICK
            frame.colorspace, frame.color_range = tags[2], tags[3]
            output.mux(film.encode(frame))
        output.mux(film.encode())
        if voice is not None:
            _hum(output, voice, float(pts[-1] * TICK) + 0.04)
    return path


def _hum(output, voice, seconds):
    import av

    wave = np.sin(np.arange(round(44100 * seconds)) * 440 * 2 * np.pi / 44100).astype(np.float32) * 0.3
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, start
        output.mux(voice.encode(frame))
    output.mux(voice.encode())


_SHARES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def codes(rgb, matrix, full, bits) -> NDArray:
    """Luma, Cb and Cr of an RGB colour in [0, 1], as ITU-T H.273 defines them: the tests' own arithmetic."""
    red, blue = _SHARES[matrix]
    y = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    chroma = np.array([(rgb[2] - y) / (2 * (1 - blue)), (rgb[0] - y) / (2 * (1 - red))])
    step, top = 2 ** (bits - 8), 2**bits - 1
    values = (
        [y * top, *(chroma * top + 128 * step)]
        if full
        else [(16 + 219 * y) * step, *((128 + 224 * chroma) * step)]
    )
    return np.rint(values).astype(int)


def flat_frame(values, pixel_format, height=24, width=32):
    """A frame whose planes hold one value each."""
    import av

    frame = av.VideoFrame(width, height, pixel_format)
    for plane, value in zip(frame.planes, values, strict=True):
        np.frombuffer(plane, np.uint16 if frame.format.components[0].bits > 8 else np.uint8)[:] = value
    return frame


def as_frame(pixels, pixel_format, tags):
    """An RGB frame as the pixel format stores it."""
    import av

    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format=pixel_format,
        dst_colorspace={1: 1, 5: 5, 6: 5, 9: 9}[tags[2]],
        src_color_range=2,
        dst_color_range=tags[3],
    )


def times(path):
    """When each frame is shown, in seconds, exact."""
    import av

    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        return sorted(p.pts * p.time_base for p in clip.demux(stream) if p.size)


def decoded(path):
    """Frames as `(H, W, 3)` in 8 bits, by their own tags."""
    import av

    with av.open(str(path)) as clip:
        return [
            f.to_ndarray(format="rgb24", src_colorspace={1: 1, 9: 9}.get(f.colorspace, 5), dst_color_range=2)
            for f in clip.decode(video=0)
        ]


def packets_of(path, kind):
    """The packets of a clip's sound or subtitles."""
    import av

    with av.open(str(path)) as clip:
        (stream,) = [s for s in clip.streams if s.type == kind]
        return [(p.pts * p.time_base, bytes(p)) for p in clip.demux(stream) if p.size]


class Twice:
    """An enlarger that doubles every pixel and remembers what it was given.

    Args:
        stop_at: Raise this at a call, as Ctrl-C does.
    """

    def __init__(self, stop_at=None):
        self.seen, self._stop_at = [], stop_at
        self.restore = None

    def size(self, height, width):
        return 2 * height, 2 * width

    def notes(self, height, width):
        return ()

    def tuned(self, pixels, quality=None):
        return self

    def bands(self, pixels):
        if len(self.seen) == self._stop_at:
            raise KeyboardInterrupt
        self.seen.append(pixels)
        yield pixels.repeat(2, 0).repeat(2, 1)
