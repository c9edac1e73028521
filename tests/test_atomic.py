"""Files are there whole or not at all."""

import errno
import os

import pytest

from kornia_srgan.atomic import replacing, sha256_of, write_bytes, write_text
from kornia_srgan.errors import ImageError, UserError


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_block_that_breaks_off_leaves_what_was_there(tmp_path, old):
    path = tmp_path / "a.png"
    if old:
        path.write_bytes(old)

    def half():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([old] if old else [])


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    with replacing(path) as temporary:
        temporary.write_bytes(b"x")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".png")
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_it_replaces_and_gives_the_usual_permissions(tmp_path):
    write_text(tmp_path / "a", "old")
    write_text(tmp_path / "a", "grüße\n")
    assert (tmp_path / "a").read_bytes() == "grüße\n".encode()
    (tmp_path / "b").write_bytes(b"x")
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


def test_the_longest_name_that_can_be(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    write_bytes(path, b"x")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [path.read_bytes()] == [b"x"]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=r"^cannot write .*/file/a: Not a directory$"):
        write_bytes(tmp_path / "file" / "a", b"", ImageError)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"^cannot write .*/folder: it is a folder$"):
        write_bytes(tmp_path / "folder", b"")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    write = tmp_path / "w"
    with pytest.raises(UserError, match=r"^cannot write .*/w: No space left on device$"):
        write_bytes(write, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_file_is_known_by_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # the example of FIPS 180-4
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
