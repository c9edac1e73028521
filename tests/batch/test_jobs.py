import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.batch.jobs import Job, plan_jobs
from kornia_srgan.batch.naming import Naming
from kornia_srgan.batch.run import overlapping, run_jobs
from kornia_srgan.batch.sources import find_sources
from kornia_srgan.errors import DataError, ImageError, UserError
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.formats import FORMATS
from tests.helpers.generators import Nearest

UPSCALER = Upscaler(Nearest(2), device="cpu")


class Untuned:
    """An enlarger that treats all pictures alike."""

    restore = None

    def tuned(self, pixels, quality=None):
        return self


def picture(path, size=(4, 3), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 20, 30)).save(path, **options)
    return path


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "in"
    for name in ("a.png", "sub/b.jpg", "sub/deep/ç ü 写真.webp", "sub/c.tif"):
        picture(root / name)
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"")
    return root


def find(*inputs, **options):
    return list(find_sources(inputs, **options).files)


def plan(sources, output, *, scale, pattern="{stem}_{size}", **options):
    return plan_jobs(sources, output, Naming.by_scale(scale, pattern), **options)


def names(sources, root):
    return [str(s.path.relative_to(root)) for s in sources]


def test_a_folder_is_searched_to_its_depths(tree):
    found = find(str(tree))
    assert names(found, tree) == ["a.png", "sub/b.jpg", "sub/c.tif", "sub/deep/ç ü 写真.webp"]
    assert [str(s.below) for s in found] == [".", "sub", "sub", "sub/deep"]
    assert names(find(str(tree), recursive=False), tree) == ["a.png"]


def test_patterns(tree):
    assert names(find(f"{tree}/*.png"), tree) == ["a.png"]
    assert names(find(f"{tree}/**/*.tif"), tree) == ["sub/c.tif"]


def test_patterns_keep_the_tree_and_survive_loops(tree, monkeypatch):
    (tree / "sub" / "again").symlink_to(tree, target_is_directory=True)
    picture(tree / "sub" / "a.png")
    found = find(f"{tree}/**/*.png")
    assert names(found, tree) == ["a.png", "sub/a.png"]
    assert [str(s.below) for s in found] == [".", "sub"]
    monkeypatch.chdir(tree)
    assert [str(s.below) for s in find("*/*.png")] == ["sub"]
    assert [str(s.below) for s in find("*.png")] == ["."]


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    path = picture(tmp_path / "a[1].png")
    assert find(str(path))[0].path == path


def test_a_pipe_is_not_waited_for(tree):
    os.mkfifo(tree / "pipe.png")
    assert len(find(str(tree))) == 4
    assert names(find(f"{tree}/*.png"), tree) == ["a.png"]


def test_a_loop_of_links_ends(tree):
    (tree / "sub" / "again").symlink_to(tree, target_is_directory=True)
    assert len(find(str(tree))) == 4


@pytest.mark.parametrize("given", ["nothing.png", "*.png", "empty"])
def test_what_is_not_there_is_named(tmp_path, given):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=given.replace("*", r"\*")):
        find(str(tmp_path / given))


def test_the_tree_is_kept_and_formats_lose_nothing(tree, tmp_path):
    jobs = plan(find(str(tree)), tmp_path / "out", scale=4)
    assert [str(j.target.relative_to(tmp_path / "out")) for j in jobs] == [
        "a_x4.png",
        "sub/b_x4.png",
        "sub/c_x4.tif",
        "sub/deep/ç ü 写真_x4.webp",
    ]


def test_one_file_to_one_file(tree, tmp_path):
    (job,) = plan(find(str(tree / "a.png")), tmp_path / "new" / "b.jpg", scale=4)
    assert job.target == tmp_path / "new" / "b.jpg"
    assert job.form.name == "JPEG"


def test_a_suffix_that_cannot_be_written_is_refused(tree, tmp_path):
    with pytest.raises(ImageError, match=r"'\.xyz'.*\.png"):
        plan(find(str(tree / "a.png")), tmp_path / "b.xyz", scale=4)


def test_name_patterns(tmp_path):
    path = tmp_path / "photo.one.jpg"
    assert Naming.by_scale(4).stem(path) == "photo.one_x4"
    assert Naming.by_scale(4, "{stem}_x{scale}").stem(path) == "photo.one_x4"
    assert Naming.by_scale(1.5, "{scale}-{stem}-{ext}").stem(path) == "1.5-photo.one-jpg"
    assert Naming("1600w").stem(path) == "photo.one_1600w"
    for wrong in ("{name}", "{stem", "{}", "a/{stem}", ""):
        with pytest.raises(UserError, match="name pattern"):
            Naming.by_scale(4, wrong).stem(path)
    with pytest.raises(UserError, match=r"use \{size\} \('1600w'\)"):
        Naming("1600w", pattern="{stem}_x{scale}").stem(path)


def targets(*inputs, out, **options):
    return [
        j.target.relative_to(out).as_posix() for j in plan(find(*map(str, inputs)), out, scale=4, **options)
    ]


def test_results_of_one_name_are_told_apart(tmp_path):
    for name in ("a.png", "a.jpg", "b.png"):
        picture(tmp_path / "in" / name)
    out = tmp_path / "out"
    assert targets(tmp_path / "in", out=out) == ["a_jpg_x4.png", "a_png_x4.png", "b_x4.png"]
    jobs = plan(find(str(tmp_path / "in")), out, scale=2)
    outcomes = run_jobs(jobs, UPSCALER)
    assert [o.status for o in outcomes] == ["done"] * 3
    assert "same name" in outcomes[0].notes[0]
    assert outcomes[2].notes == ()
    assert len(list(out.iterdir())) == 3


def test_results_of_one_name_from_two_folders_are_numbered(tmp_path):
    for name in ("one/a.png", "two/a.png", "two/a_png.png", "two/a_png-2.png"):
        picture(tmp_path / name)
    found = targets(tmp_path / "one", tmp_path / "two", out=tmp_path / "out", pattern="{stem}")
    assert found == ["a_png.png", "a_png-3.png", "a_png-2.png", "a_png-4.png"]


def test_names_that_differ_in_capitals_only_are_told_apart(tmp_path):
    """They would be one file on the disks of most people."""
    for name in ("one/Photo.png", "two/photo.png"):
        picture(tmp_path / name)
    found = targets(tmp_path / "one", tmp_path / "two", out=tmp_path / "out")
    assert len({name.casefold() for name in found}) == 2


def test_a_pattern_that_names_all_alike_is_refused(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    with pytest.raises(UserError, match=r"put \{stem\} into it"):
        plan(find(str(tmp_path)), tmp_path / "out", scale=4, pattern="large")


def test_a_file_that_is_named_twice_is_enlarged_once(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert len(find("a.png", "./a.png", str(tmp_path), "*.png")) == 1


def test_an_input_is_never_overwritten(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(UserError, match="one of the inputs"):
        plan(find(str(tmp_path)), tmp_path, scale=4, pattern="{stem}", existing="overwrite")


def test_a_result_that_would_overwrite_another_input_fails_alone(tmp_path):
    for name in ("a.png", "a_x2.png", "b.png"):
        picture(tmp_path / name)
    outcomes = run_jobs(plan(find(str(tmp_path)), tmp_path, scale=2), UPSCALER)
    assert [o.status for o in outcomes] == ["failed", "done", "done"]
    assert "would overwrite" in str(outcomes[0].error)
    assert Image.open(tmp_path / "a_x2.png").size == (4, 3)


def test_a_file_name_for_several_pictures_is_refused(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    with pytest.raises(UserError, match="one file, and there are 2 pictures"):
        plan(find(str(tmp_path / "in")), tmp_path / "out.png", scale=4)


def test_a_name_that_contradicts_the_format_is_refused(tree, tmp_path):
    sources = find(str(tree / "a.png"))
    with pytest.raises(UserError, match=r"name of a JPEG file.*leave out --format, or name it '.*o\.png'"):
        plan(sources, tmp_path / "o.jpg", scale=4, form=FORMATS["PNG"])
    (job,) = plan(sources, tmp_path / "o.jpeg", scale=4, form=FORMATS["JPEG"])
    assert job.target.name == "o.jpeg"


def test_results_that_are_there(tmp_path):
    sources = find(str(picture(tmp_path / "a.png")))
    old = picture(tmp_path / "out" / "a_x2.png", size=(1, 1))
    (outcome,) = run_jobs(plan(sources, tmp_path / "out", scale=2, existing="skip"), UPSCALER)
    assert outcome.status == "skipped"
    assert Image.open(old).size == (1, 1)
    (outcome,) = run_jobs(plan(sources, tmp_path / "out", scale=2), UPSCALER)
    assert outcome.status == "done"
    assert Image.open(old).size == (8, 6)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_bad_file_does_not_stop_the_rest(tree, tmp_path, workers):
    (tree / "sub" / "bad.png").write_text("hello")
    progress = []
    jobs = plan(find(str(tree)), tmp_path / "out", scale=2)
    outcomes = run_jobs(jobs, UPSCALER, workers=workers, on_rows=progress.append)
    assert [o.status for o in outcomes] == ["done", "done", "failed", "done", "done"]
    assert "bad.png" in str(outcomes[2].error)
    assert sum(progress) == pytest.approx(4 * 12 / 1e6)
    assert len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) == 4


def test_workers_give_the_same_pictures(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(6):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(tmp_path / f"{index}.png")
    sources = find(str(tmp_path))
    run_jobs(plan(sources, tmp_path / "one", scale=2), UPSCALER, workers=1)
    run_jobs(plan(sources, tmp_path / "four", scale=2), UPSCALER, workers=4)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "four" / path.name).read_bytes()


def test_only_one_computes_at_a_time(tmp_path):
    class Watching(Untuned):
        def __init__(self):
            self.threads = set()

        def size(self, height, width):
            return height, width

        def notes(self, height, width):
            return ()

        def bands(self, pixels):
            for row in pixels:
                self.threads.add(threading.get_ident())
                yield row[None].copy()

    for index in range(4):
        picture(tmp_path / f"{index}.png", size=(4, 50))
    watching = Watching()
    outcomes = run_jobs(plan(find(str(tmp_path)), tmp_path / "out", scale=1), watching, workers=4)
    assert all(o.status == "done" for o in outcomes)
    assert watching.threads == {threading.get_ident()}


def test_an_unwritable_folder_is_said_before_computing(tmp_path):
    class Never(Untuned):
        def size(self, height, width):
            return height, width

        def notes(self, height, width):
            return ()

        def bands(self, pixels):
            raise AssertionError("computed")

    (tmp_path / "file").write_text("x")
    job = plan(find(str(picture(tmp_path / "a.png"))), tmp_path / "file" / "b.png", scale=1)
    (outcome,) = run_jobs(job, Never())
    assert outcome.status == "failed"
    assert "cannot write" in str(outcome.error)


def test_every_format_says_what_it_can():
    assert {f.name for f in FORMATS.values() if f.alpha} == {"PNG", "WEBP", "TIFF", "AVIF", "GIF"}


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_interrupted_stops_soon_and_leaves_no_half_files(tmp_path, workers):
    for index in range(5):
        picture(tmp_path / "in" / f"{index}.png", size=(4, 50))
    rows = []

    class Slow(Untuned):
        def size(self, height, width):
            return height, width

        def notes(self, height, width):
            return ()

        def bands(self, pixels):
            for row in pixels:
                rows.append(1)
                yield row[None].copy()

    def interrupt(outcome):
        raise KeyboardInterrupt

    jobs = plan(find(str(tmp_path / "in")), tmp_path / "out", scale=1)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, Slow(), workers=workers, on_outcome=interrupt)
    assert all(p.suffix == ".png" and not p.name.startswith(".") for p in (tmp_path / "out").iterdir())


def test_two_files_overlap_unless_they_are_large():
    def job(megapixels):
        return Job(Path("a.png"), Path("b.png"), FORMATS["PNG"], "a.png", megapixels)

    assert overlapping([job(1.0), job(2.0)], 4) == 2
    assert overlapping([job(1.0)], 4) == 1
    assert overlapping([job(1.0), job(12.0)], 4) == 1
    assert overlapping([job(1.0), job(12.0)], 2) == 2


def test_a_named_pipe_is_read_once_and_a_device_is_refused(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a picture",))
    writer.start()
    (source,) = find_sources([str(pipe), str(pipe)]).files
    writer.join()
    assert (source.path, source.content) == (pipe, b"a picture")
    with pytest.raises(DataError, match="a device or a socket"):
        find_sources(["/dev/null"])
