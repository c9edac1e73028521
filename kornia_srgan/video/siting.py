"""Where samples of colour lie between those of brightness, where a frame has fewer of them.

PyAV does not show this mark of a frame, but swscale goes by it, and a filter of FFmpeg sets it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av.filter import Graph

LEFT = "left"
_NOT_SAID = frozenset({  # their streams need not say it, and swscale then takes the middle
    "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "prores", "dnxhd", "cfhd", "v210", "v410",
    "ffv1", "ffvhuff", "huffyuv", "utvideo", "rawvideo",
})  # fmt: skip
_STEP, _SIDE = 4, 64


def assumed_siting(frame: Any, codec: str, *, full: bool) -> str:
    """Where a frame's colour lies if the frame does not say it: `left`, as players take it; empty if it does.

    Args:
        frame: A decoded frame.
        codec: Its decoder.
        full: Full range, as photographs have it: their colour lies in the middle.
    """
    form = frame.format
    fewer = len(form.components) > 2 and not form.is_rgb and form.chroma_width(16) < 16
    central = codec == "rawvideo" and form.chroma_height(16) < 16  # y4m's 4:2:0 says it
    if not fewer or full or central or codec not in _NOT_SAID:
        return ""
    return LEFT if _taken_as_central(frame) else ""


def with_siting(frame: Any, where: str = LEFT) -> Any:
    """The frame with a mark, which `reformat` hands on to the frames that it makes; pixels are shared."""
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)
        ),
        graph.add(*siting_filter(where)),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.vpush(frame)
    return graph.vpull()


def siting_filter(where: str) -> tuple[str, str]:
    """The filter that marks frames, and its argument."""
    return "setparams", f"chroma_location={where}"


def _taken_as_central(frame: Any) -> bool:
    """Where swscale puts a ramp of colour that is given the frame's mark."""
    side = _SIDE if (frame.width, frame.height) != (_SIDE, _SIDE) else _SIDE // 2
    ramp = frame.reformat(width=side, height=side)
    depth = max(component.bits for component in frame.format.components)
    ramp.make_writable()
    plane = ramp.planes[1]
    values = np.frombuffer(plane, np.uint8 if depth == 8 else np.uint16).reshape(plane.height, -1)
    values[:, : plane.width] = (32 + _STEP * np.arange(plane.width)) << (depth - 8)
    wide = ramp.reformat(format="yuv444p").planes[1]
    row = np.frombuffer(wide, np.uint8).reshape(wide.height, -1)[side // 2, :side].astype(float)
    spread = side // plane.width
    inner = slice(side // 4, side // 2)
    late = (32 + np.arange(side) * _STEP / spread - row)[inner].mean() * spread / _STEP  # pixels to the right
    return bool(late > 0.25)
