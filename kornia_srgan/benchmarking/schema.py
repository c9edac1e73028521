"""The JSON schema of benchmarks, version 1, checked on writing and reading.

Every benchmark's file has the keys of `Document`. That of the generators' forward pass is a
`ForwardDocument`, with one `Case` for each network and input and one `Run` for each engine in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kornia_srgan.atomic import write_text
from kornia_srgan.benchmarking.machine import machine_facts
from kornia_srgan.benchmarking.measurements import Result
from kornia_srgan.errors import UserError

SCHEMA = 1
FORWARD = "generator_forward"
OURS = "kornia_srgan"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(BaseModel, frozen=True):
    """The common keys of every benchmark's file."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema", description="Goes up when a key changes its meaning.")
    benchmark: str
    date: datetime
    machine: dict[str, Any] = Field(
        description="cpu, cores, threads, load, os, device, gpu, versions, revision."
    )
    settings: dict[str, Any] = Field(description="What was asked for.")
    results: tuple[Result, ...] = Field(
        description="Each measurement: name, unit, values, median, q1 and q3 (quartiles)."
    )

    @model_validator(mode="after")
    def _check(self) -> Document:
        missing = {"cpu", "cores", "threads", "torch", "revision", "device"} - set(self.machine)
        if missing:
            raise ValueError(f"machine lacks {', '.join(sorted(missing))}")
        names = [result.name for result in self.results]
        if len(set(names)) != len(names):
            raise ValueError("two results have one name")
        return self


class Run(_Strict):
    """One engine on one case."""

    engine: str = Field(description="kornia_srgan, or the engine it was set beside.")
    computed_by: str = Field(default="", description="Of kornia_srgan's run: the engine that computed it.")
    version: str = Field(description="The engine's version.")
    status: Literal["ok", "failed"]
    error: str = Field(default="", description="Why it failed, in one line.")
    result: str | None = Field(default=None, description="Name of its speed in `results`, MP/s of output.")
    peak_memory_mib: float | None = Field(
        default=None, description="Growth during the first forward; how measured: `memory` of the document."
    )
    flops: int | None = Field(
        default=None,
        description="FLOPs that one forward does, as counted; of other engines, the plain module's.",
    )
    matmul_fraction: float | None = Field(
        default=None, description="These FLOPs a second over those of the machine's matrix product."
    )
    effective_fraction: float | None = Field(
        default=None, description="The same with the plain module's FLOPs, whatever was really done."
    )
    ratio: float | None = Field(
        default=None, description="kornia_srgan's median speed over this engine's: above 1, ours is faster."
    )
    max_difference: float | None = Field(
        default=None, description="Largest difference of its output from kornia_srgan's."
    )
    relative_difference: float | None = Field(
        default=None, description="The same over the largest value of the output."
    )

    @model_validator(mode="after")
    def _check(self) -> Run:
        if (self.status == "ok") != (self.result is not None) or (self.status == "failed") != bool(
            self.error
        ):
            raise ValueError("a run is ok and has a result, or failed and has an error")
        return self


class Case(_Strict):
    """One network on one input."""

    subject: str = Field(description="The generator with its arguments, or the weights.")
    kind: Literal["generator", "weights"]
    scale: int | None = Field(description="None where the network could not be made.")
    parameters: int | None
    flops: int | None = Field(description="FLOPs of one forward of the plain module, as counted.")
    batch: int
    height: int = Field(description="Of the LR input.")
    width: int
    dtype: Literal["float32", "bfloat16", "float16", "auto"]
    memory_format: Literal["channels_last", "contiguous"] = Field(description="Of kornia_srgan's run.")
    compiled: bool
    optimized: bool = Field(description="Whether kornia_srgan's run is `optimize_for_inference`.")
    own_engine: str = Field(default="torch", description="The engine that kornia_srgan was asked to use.")
    runs: tuple[Run, ...]

    @property
    def label(self) -> str:
        """The label of the case."""
        scale = f" x{self.scale}" if self.scale else ""
        form = "" if self.memory_format == "channels_last" else ", contiguous"
        form += ("" if self.optimized else ", not optimized") + (", compiled" if self.compiled else "")
        form += "" if self.own_engine == "torch" else f", engine {self.own_engine}"
        return f"{self.subject}{scale}, {self.batch}x{self.height}x{self.width}, {self.dtype}{form}"


class ForwardDocument(Document, frozen=True):
    """The file of `kornia-srgan benchmark`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    benchmark: Literal["generator_forward"]
    matmul_flops_per_second: dict[str, float] = Field(description="By dtype, the fastest seen in the run.")
    memory: str = Field(description="How the peak memory was measured.")
    cases: tuple[Case, ...]

    @model_validator(mode="after")
    def _check_runs(self) -> ForwardDocument:
        known = {result.name for result in self.results}
        for result in self.results:
            if not all(0 < speed < math.inf for speed in (result.q1, result.median, result.q3)):
                raise ValueError(f"the result '{result.name}' is no speed")
        for case in self.cases:
            for run in case.runs:
                if run.result is not None and run.result not in known:
                    raise ValueError(
                        f"run of {run.engine} points to the result '{run.result}', which is not there"
                    )
        return self

    def speed(self, run: Run) -> Result | None:
        """The speed of a run in megapixels of output per second; None if it failed."""
        return next((r for r in self.results if r.name == run.result), None)


def make_document(
    benchmark: str, settings: Mapping[str, Any], results: Sequence[Result], device: str, **more: Any
) -> dict[str, Any]:
    """A benchmark's results as they are written to disk, checked.

    Args:
        benchmark: Its name.
        settings: What it was asked for.
        results: What it measured.
        device: Where.
        **more: Further keys of this benchmark.
    """
    content = {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "date": datetime.now(UTC).replace(microsecond=0),
        "machine": machine_facts(device),
        "settings": dict(settings),
        "results": tuple(results),
        **more,
    }
    model = ForwardDocument if benchmark == FORWARD else Document
    return model.model_validate(content).model_dump(mode="json", by_alias=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_forward(path: str | Path) -> ForwardDocument:
    """Read a file that `kornia-srgan benchmark --json` wrote.

    Raises:
        UserError: If it is missing or has other content.
    """
    path = Path(path)
    try:
        return ForwardDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError.at(path, f"{error.strerror or error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise UserError(
            f"{path} is not a file of `kornia-srgan benchmark --json`, schema {SCHEMA}"
            f" ({f'{where}: ' if where else ''}{problem['msg']})",
            where=path,
        ) from None
