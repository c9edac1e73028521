import json
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from kornia_srgan.photos.find import find_files, find_matches, looks_like_picture
from kornia_srgan.photos.outputs import MARK, mark_folder, mark_results, written_in


def picture(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (10, 20, 30)).save(path, **options)
    return path


def names(root, **options):
    return [p.relative_to(root).as_posix() for p in find_files(root, **options).files]


def left_out(root, **options):
    found = find_files(root, **options).left_out
    return {entry.path.relative_to(root).as_posix(): entry.reason for entry in found}


@pytest.mark.parametrize(
    "name",
    [
        "a.heic",
        "a.HEIF",
        "a.jxl",
        "a.mpo",
        "a.sgi",
        "a.CR2",
        "a.dng",
        "a.psd",
        "a.exr",
        "a.jp2",
        "a.pfm",
        "a.hdr",
    ],
)
def test_every_kind_of_picture_counts_by_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"whatever")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    "form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "AVIF", "JPEG2000", "QOI"]
)
@pytest.mark.parametrize("name", ["DSC0001", "photo.jpg_large", "2024.05.06", "photo.jpg~"])
def test_a_name_that_says_nothing_counts_by_the_first_bytes(tmp_path, form, name):
    assert looks_like_picture(picture(tmp_path / name, format=form))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README", b"P is a letter, BM are two"),
        ("notes.txt", b"\x89PNG\r\n\x1a\n"),
        ("a.json", b"{}"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{}"),
        ("clip", b"\0\0\0\x20ftypisom\0\0\2\0"),
        ("empty", b""),
    ],
)
def test_other_files_do_not(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert find_files(tmp_path).files == ()
    assert find_files(tmp_path).left_out == ()


def test_drawings_links_to_nowhere_and_closed_folders_are_named(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    (tmp_path / "logo.svg").write_text("<svg/>")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tmp_path) == ["a.png"]
    found = left_out(tmp_path)
    assert "no pixels" in found["logo.svg"]
    assert found["gone.jpg"] == "a link to nowhere"
    assert "Permission denied" in found["closed"]
    assert names(tmp_path, broken_links=True) == ["a.png", "gone.jpg"]


def test_what_is_no_ordinary_file_is_named_and_never_opened(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as talk:
        talk.bind("talk")
        found = left_out(tmp_path)
    assert names(tmp_path) == ["a.png"]
    assert found == {
        "pipe.png": "a named pipe",
        "pipe": "a named pipe",
        "zero": "a device",
        "talk": "a socket",
        "round.jpg": "a link to nowhere",
    }
    assert len(find_matches(tmp_path / "*").left_out) == 5


def test_a_file_of_any_kind_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    (tmp_path / "closed").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda path, _: str(path).endswith(".png"))
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"closed": "cannot be read: Permission denied"}


def test_a_picture_by_its_name_alone_is_named(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "logo.wbmp").write_bytes(b"\0\0\x08\x01\xaa")
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"logo.wbmp": "not a picture in any known format"}


def test_a_folder_that_may_be_listed_but_not_entered_is_no_crash(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    picture(tmp_path / "shut" / "b.png")
    real = Path.stat

    def stat(self, **options):
        if self.parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"shut/b.png": "cannot be read: Permission denied"}
    assert names(tmp_path, broken_links=True) == ["a.png", "shut/b.png"]


def test_results_in_a_folder_of_their_own_are_left_out(tmp_path):
    picture(tmp_path / "a.png")
    mark_results([tmp_path / "large" / "a_x4.png", tmp_path / "large" / "b\n\udcffü_x4.png"])
    picture(tmp_path / "large" / "a_x4.png")
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"large": "results of an earlier run: 1 file"}
    picture(tmp_path / "large" / "mine.png")  # put there by hand
    assert names(tmp_path) == ["a.png", "large/mine.png"]
    assert written_in(tmp_path / "large").names == {"a_x4.png", "b\n\udcffü_x4.png"}


def test_results_beside_their_originals_are_left_out(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "a_x4.png")
    mark_results([tmp_path / "a_x4.png"])
    assert names(tmp_path) == ["a.png"]
    assert names(tmp_path, results=True) == ["a.png", "a_x4.png"]


def test_a_folder_of_results_alone_is_what_is_meant(tmp_path):
    mark_results([picture(tmp_path / "out" / "a_x4.png"), picture(tmp_path / "out" / "sub" / "b_x4.png")])
    assert names(tmp_path / "out") == ["a_x4.png", "sub/b_x4.png"]
    assert left_out(tmp_path / "out") == {}
    mark_folder(tmp_path / "tiles")
    picture(tmp_path / "tiles" / "HR" / "a.png")
    assert names(tmp_path / "tiles") == ["HR/a.png"]


def test_a_whole_folder_of_results_is_left_out(tmp_path):
    picture(tmp_path / "a.png")
    mark_folder(tmp_path / "tiles")
    picture(tmp_path / "tiles" / "HR" / "a_0000.png")
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"tiles": "results of an earlier run"}


def test_a_mark_grows_and_survives_what_is_no_mark(tmp_path):
    mark_results([tmp_path / "a.png"])
    mark_results([tmp_path / "a.png", tmp_path / "b.png"])
    lines = [line for line in (tmp_path / MARK).read_text().splitlines() if not line.startswith("#")]
    assert [json.loads(line) for line in lines] == ["a.png", "b.png"]
    (tmp_path / MARK).write_bytes(b"\xff\xfe nonsense")
    assert written_in(tmp_path).names == frozenset()


@pytest.mark.parametrize("inside", ["", "runs/tiny"])
def test_a_training_run_is_no_data(tmp_path, inside):
    picture(tmp_path / "a.png")
    run = tmp_path / inside
    run.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "environment.json"):
        (run / name).write_text("{}")
    picture(run / "losses.png")
    picture(run / "validation" / "step-00000010.png")
    assert names(tmp_path) == ["a.png"]
    assert "a training run" in " ".join(left_out(tmp_path).values())
    assert find_matches(tmp_path / "**" / "*.png").files == (tmp_path / "a.png",)


def test_patterns_leave_results_out_unless_they_are_all_there_is(tmp_path):
    picture(tmp_path / "a.png")
    mark_results([picture(tmp_path / "large" / "a_x4.png")])
    assert [p.name for p in find_matches(tmp_path / "**" / "*.png").files] == ["a.png"]
    assert [p.name for p in find_matches(tmp_path / "large" / "*.png").files] == ["a_x4.png"]
