"""What `benchmark` measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kornia_srgan.errors import ArgumentError

MemoryFormat = Literal["channels_last", "contiguous"]


@dataclass(frozen=True)
class Plan:
    """What to measure: the product of sizes, batches, dtypes and memory formats, for each network.

    Attributes:
        sizes: Height and width of LR inputs.
        batches: Batch sizes.
        dtypes: `float32`, `bfloat16`, `float16`, their short names, or `auto`, which other engines compute in
            float32 on a CPU.
        memory_formats: `channels_last` or `contiguous`, for kornia_srgan.
        compiled: Use `torch.compile`, for kornia_srgan.
        optimized: Use `optimize_for_inference` as in the `Upscaler`, for kornia_srgan.
        engine: What computes, for kornia_srgan: `torch`, `onnxruntime`, `openvino`, or `auto`, as in the
            `Upscaler`.
        repeats: Measured forward passes of each engine on each case.
        warmup: Forward passes before, including the one for the memory.

    Raises:
        ArgumentError: If `compiled`, or not `optimized`, with another engine than `torch`; or not `optimized`
            with the dtype `auto`, which optimizing chooses.
    """

    sizes: Sequence[tuple[int, int]] = ((128, 128),)
    batches: Sequence[int] = (1,)
    dtypes: Sequence[str] = ("float32",)
    memory_formats: Sequence[MemoryFormat] = ("channels_last",)
    compiled: bool = False
    optimized: bool = True
    engine: str = "torch"
    repeats: int = 7
    warmup: int = 2

    def __post_init__(self) -> None:
        if self.engine != "torch" and (self.compiled or not self.optimized):
            raise ArgumentError(
                f"compiled and unoptimized generators are for the engine torch, not {self.engine}",
                where="engine",
            )
        if "auto" in self.dtypes and not self.optimized:
            raise ArgumentError(
                "what dtype auto means is chosen by optimizing; leave out --no-optimize, or name a dtype",
                where="dtype",
            )
