import hashlib

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.evaluate import evaluate
from kornia_srgan.evaluation.known_sets import (
    KNOWN_SETS,
    VARIABLE,
    bicubic_note,
    check_set,
    files_digest,
    known_set,
    locate_set,
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("urban100", "Urban100"), ("B100", "BSD100"), ("DIV2K_valid_HR", "DIV2K"), ("set-5", "Set5")],
)
def test_names_that_folders_have(name, expected):
    assert known_set(name).name == expected


def test_other_names_are_not_known():
    assert known_set("holiday") is None


@pytest.mark.parametrize("known", KNOWN_SETS, ids=lambda s: s.name)
def test_a_set_that_is_not_here_says_where_to_get_it(known):
    with pytest.raises(
        DataError, match=rf"{known.name} was not found .* {known.count} images .*http.*{VARIABLE}"
    ):
        locate_set(known.name)


def test_a_set_is_found_by_name(tmp_path, monkeypatch):
    (tmp_path / "datasets/B100").mkdir(parents=True)
    assert locate_set("BSD100").name == "B100"
    (tmp_path / "far/bsd100").mkdir(parents=True)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "far"))
    assert locate_set("BSD100") == tmp_path / "far/bsd100"


def test_a_folder_wins_over_a_name(tmp_path):
    (tmp_path / "Set5").mkdir()
    assert str(locate_set("Set5")) == "Set5"


def test_the_digest_is_that_of_the_files_in_order(tmp_path):
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(name.encode())
    sums = "".join(hashlib.md5(name.encode()).hexdigest() for name in ("a.png", "b.png"))
    assert files_digest(tmp_path.iterdir()) == hashlib.md5(sums.encode()).hexdigest()


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_the_sets_at_hand_are_whole(shared_data, name):
    check = check_set(name, (shared_data / "eval" / name / "HR").iterdir())
    assert check.copy == "SelfExSR"
    assert check.notes == ()


def put(folder, count):
    folder.mkdir(parents=True)
    for index in range(count):
        noise = np.random.default_rng(index).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")


def test_what_does_not_agree_is_told(tmp_path):
    put(tmp_path / "Set5", 4)
    report = evaluate({}, "Set5")
    assert report.checks["Set5"].images == 4
    assert report.notes[0] == "Set5 has 5 images, here are 4: published figures do not compare"
    assert "Set5 x4: bicubic scores" in report.notes[1]


def test_other_files_than_the_published_are_told(tmp_path):
    put(tmp_path / "Set5", 5)
    assert "not the files of SelfExSR" in check_set("Set5", (tmp_path / "Set5").iterdir()).notes[0]


def test_sets_of_ones_own_are_not_checked(tmp_path):
    put(tmp_path / "holiday", 2)
    report = evaluate({}, "holiday")
    assert report.checks == {}
    assert report.notes == ()


def test_bicubic_is_compared_only_where_papers_print_it():
    assert "23.14 dB in papers" in bicubic_note("Urban100", 4, 22.9, "ledig-y/v1")
    assert not bicubic_note("Urban100", 4, 23.1, "ledig-y/v1")
    assert not bicubic_note("Urban100", 4, 21.7, "basicsr-rgb/v1")
    assert not bicubic_note("Urban100", 5, 1.0, "ledig-y/v1")
    assert not bicubic_note("Urban100 q75", 4, 1.0, "ledig-y/v1")


def test_several_sets_are_scored_together(tmp_path):
    put(tmp_path / "one", 1)
    put(tmp_path / "two", 1)
    assert evaluate({}, ["one", "two"]).datasets == ["one", "two"]
    put(tmp_path / "else/one", 1)
    with pytest.raises(DataError, match="two evaluation sets are called 'one'"):
        evaluate({}, ["one", "else/one"])
