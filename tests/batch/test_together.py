"""Several processes write the files of one: pictures, parts of a picture, segments of a clip."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.batch.crew import Crew
from kornia_srgan.batch.jobs import plan_jobs
from kornia_srgan.batch.naming import Naming
from kornia_srgan.batch.run import run_jobs
from kornia_srgan.batch.sources import find_sources
from kornia_srgan.batch.together import PartTask, run_jobs_together
from kornia_srgan.inference import parts
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.upscaler import Upscaler
from tests.helpers.crews import crew_of_threads
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture
def upscaler(tmp_path):
    return Upscaler.from_pretrained(save_tiny_weights(tmp_path), device="cpu")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in {"a.png": (9, 8, 3), "b.jpg": (7, 5, 3), "large.png": (700, 24, 4)}.items():
        Image.fromarray(rng.integers(0, 255, shape, np.uint8)).save(folder / name)
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    return find_sources([str(folder)]).files


def results(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(scale=3)])
def test_a_folder_has_the_bytes_of_one_process(tmp_path, upscaler, pictures, wanted, monkeypatch):
    monkeypatch.setattr(parts, "_LEAST_MARGINS", 1)
    plan = partial(plan_jobs, pictures, naming=Naming.by_scale(4))
    one = run_jobs(plan(tmp_path / "one"), Rescaler(upscaler, wanted))
    tasks, rows = submitted(monkeypatch), []
    with crew_of_threads(2, upscaler) as crew:
        two = run_jobs_together(plan(tmp_path / "two"), upscaler, wanted, crew, on_rows=rows.append)
    assert [(o.job.label, o.status, o.width, str(o.error)) for o in two] == [
        (o.job.label, o.status, o.width, str(o.error)) for o in one
    ]
    assert results(tmp_path / "two") == results(tmp_path / "one")
    assert len(results(tmp_path / "one")) == 3
    assert sum(isinstance(task, PartTask) for task in tasks) >= 4  # of the large picture and its transparency
    assert sum(rows) == pytest.approx(sum(o.megapixels for o in one))


def submitted(monkeypatch):
    """Every task that a crew gets."""
    tasks, submit = [], Crew.submit
    monkeypatch.setattr(Crew, "submit", lambda self, task, **k: tasks.append(task) or submit(self, task, **k))
    return tasks


def test_what_is_there_is_skipped(tmp_path, upscaler, pictures):
    plan = partial(plan_jobs, pictures[:2], tmp_path / "out", Naming.by_scale(4))
    run_jobs(plan()[:1], Rescaler(upscaler, Wanted()))
    with crew_of_threads(2, upscaler) as crew:
        done = run_jobs_together(plan(existing="skip"), upscaler, Wanted(), crew)
    assert [o.status for o in done] == ["skipped", "done"]


@pytest.fixture
def clip(tmp_path):
    pytest.importorskip("av")
    from tests.helpers.clips import gradient, make_clip

    uneven = tuple(512 * n + 40 * (n % 3) for n in range(11))
    frames = [gradient(min(n, 8)) for n in range(11)]
    return make_clip(tmp_path / "clip.mp4", pts=uneven, frames=frames, sound=True)


def enlarge(clip, target, upscaler, crew=None, *, steady=0.0, resume=None):
    from kornia_srgan.batch.segments import run_shared
    from kornia_srgan.video.options import VideoOptions
    from kornia_srgan.video.run import enlarge_clip, run_pipe

    seen = []
    options = VideoOptions(segment=0.12, steady=steady, resume=resume, start=Fraction(1, 25))
    run = run_pipe if crew is None else partial(run_shared, crew)
    return enlarge_clip(clip, target, upscaler, options, run=run, on_frame=seen.append), seen


@pytest.mark.parametrize("steady", [0.0, 0.5])
def test_a_clip_has_the_bytes_of_one_process(tmp_path, upscaler, clip, steady):
    one, _ = enlarge(clip, tmp_path / "one.mp4", upscaler, steady=steady)
    with crew_of_threads(2, upscaler) as crew:
        two, seen = enlarge(clip, tmp_path / "two.mp4", upscaler, crew, steady=steady)
    assert (tmp_path / "two.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
    assert (two.frames, two.notes, two.size) == (one.frames, one.notes, one.size)
    assert seen[-1].done == one.frames == 10
    assert (seen[0].done, seen[0].total) == (0, 10)  # told before the first frame is done
    assert not (tmp_path / ".two.mp4.parts").exists()


def test_segments_of_a_stopped_run_are_kept_wherever_they_lie(tmp_path, upscaler, clip, monkeypatch):
    enlarge(clip, tmp_path / "one.mp4", upscaler)
    target = tmp_path / "two.mp4"
    monkeypatch.setattr(Crew, "finish", _stopped)
    with crew_of_threads(2, upscaler) as crew, pytest.raises(KeyboardInterrupt):
        enlarge(clip, target, upscaler, crew)
    monkeypatch.undo()
    made = sorted((tmp_path / ".two.mp4.parts").glob("*.segment"))
    assert len(made) == 4
    made[1].unlink()
    with crew_of_threads(2, upscaler) as crew:
        tasks = submitted(monkeypatch)
        outcome, seen = enlarge(clip, target, upscaler, crew, resume=True)
    assert [task.number for task in tasks] == [1]
    assert seen[-1].begun == 7
    assert outcome.frames == 10
    assert target.read_bytes() == (tmp_path / "one.mp4").read_bytes()


def _stopped(crew):
    while crew._orders:
        crew.step()
    raise KeyboardInterrupt
