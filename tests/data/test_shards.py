"""Images in tar archives: the same crops as from loose files, and clear words about what cannot be read."""

import io
import logging
import tarfile

import pytest
import torch

from kornia_srgan.data.images import find_images, read_rgb
from kornia_srgan.data.shards import list_members, locate_images
from kornia_srgan.data.source import open_crops
from kornia_srgan.errors import DataError


def pack(folder, archive, mode="w"):
    """All images of a folder in one archive, with what webdataset keeps beside them."""
    with tarfile.open(archive, mode) as tar:
        for path in find_images(folder):
            tar.add(path, path.relative_to(folder).as_posix())
            for name, content in ((path.stem + ".json", b"{}"), (f"._{path.name}", b"x")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def shards(photos, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    pack(photos, folder / "train-0000.tar")
    return folder


def take(source, **options):
    batches = list(source.batches(2, 9, batch_size=5, **options))
    return torch.cat([b.images for b in batches]), [s for b in batches for s in b.seeds]


def test_members_are_read_in_place(photos, shards):
    members, problem = list_members(shards / "train-0000.tar")
    assert problem == ""
    assert len(members) == 6
    for member, path in zip(members, find_images(photos), strict=True):
        assert (read_rgb(member.open()) == read_rgb(path)).all()
        assert member.name == shards / "train-0000.tar" / path.relative_to(photos)


@pytest.mark.parametrize(("cache", "workers"), [("none", 0), ("none", 2), ("ram", 0), ("device", 0)])
def test_crops_equal_those_of_loose_files(photos, shards, cache, workers):
    loose = take(open_crops(photos, crop=16, cache="ram", seed=3))
    packed = take(open_crops(shards, crop=16, cache=cache, workers=workers, seed=3))
    assert torch.equal(packed[0], loose[0])
    assert packed[1] == loose[1]


def test_ranks_together_see_the_single_process_batch(shards):
    source = open_crops(shards, crop=16, cache="none", workers=1)
    whole = next(source.batches(3, 4, batch_size=6))
    parts = [next(source.batches(3, 4, batch_size=6, rank=r, world_size=3)).images for r in range(3)]
    assert torch.equal(torch.cat(parts), whole.images)


def test_archives_and_loose_files_mix(photos, shards):
    assert len(locate_images([photos, shards])[0]) == 12
    assert open_crops(shards / "train-0000.tar", crop=16, cache="ram").num_images == 6


def test_damaged_members_are_named(damaged, tmp_path, caplog):
    pack(damaged, tmp_path / "x.tar")
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        source = open_crops(tmp_path / "x.tar", crop=16, cache="ram")
    assert {p.name for p in source.skipped} == {"text.png", "empty.jpg", "cut.png"}
    assert "x.tar/cut.png" in caplog.text
    assert source.num_images == 6


def test_archives_that_cannot_be_read_are_named(photos, shards, caplog):
    whole = (shards / "train-0000.tar").read_bytes()
    (shards / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (shards / "text.tar").write_text("not an archive, but long enough to be looked at" * 40)
    pack(photos, shards / "small.tar.gz", "w:gz")
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        source = open_crops(shards, crop=16, cache="ram")
    assert {p.name for p in source.skipped} >= {"cut.tar", "text.tar", "small.tar.gz"}
    assert "small.tar.gz': it is compressed; unpack it to a plain .tar" in caplog.text
    assert source.num_images >= 6
    take(source)


def test_a_folder_with_nothing_readable_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no images in"):
        locate_images(tmp_path)
    (tmp_path / "x.tar").write_text("no")
    with pytest.raises(DataError, match=r"none of the 1 image files can be read, .*x\.tar"):
        open_crops(tmp_path, crop=16)
