import subprocess
import sys
from pathlib import Path

import pytest

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights import locate as module
from kornia_srgan.weights.locate import locate_weights, zoo_names


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A zoo of two empty files, in place of the packaged one."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name in ("edsr-x4", "srgan-x4"):
        (folder / f"{name}.safetensors").touch()
    (folder / "edsr-x4.md").touch()
    monkeypatch.setattr(module, "files", lambda package: folder)
    return folder


def test_names(zoo):
    assert zoo_names() == ["edsr-x4", "srgan-x4"]


@pytest.mark.parametrize("name", ["edsr-x4", "EDSR_x4", " edsr-x4 "])
def test_a_packaged_name(zoo, name):
    assert locate_weights(name) == zoo / "edsr-x4.safetensors"


def test_a_path(zoo, tmp_path):
    path = tmp_path / "mine.safetensors"
    path.touch()
    assert locate_weights(path) == path
    assert locate_weights(str(path)) == path


def test_a_name_wins_over_a_file_and_a_path_reaches_the_file(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("edsr-x4").touch()
    assert locate_weights("edsr-x4") == zoo / "edsr-x4.safetensors"
    assert locate_weights("./edsr-x4").resolve() == tmp_path / "edsr-x4"
    assert locate_weights(Path("edsr-x4")).resolve() == tmp_path / "edsr-x4"


def test_home_is_expanded(zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.safetensors").touch()
    assert locate_weights("~/mine.safetensors") == tmp_path / "mine.safetensors"


@pytest.mark.parametrize("wrong", ["edsr-x5", "EDSRx4", "edsr-x4.safetensors"])
def test_a_miss_suggests_and_lists(zoo, wrong):
    with pytest.raises(WeightsError) as error:
        locate_weights(wrong)
    assert str(error.value) == (
        f"weights '{wrong}' not found; did you mean 'edsr-x4'? packaged: edsr-x4, srgan-x4; "
        "or give the path of a .safetensors file"
    )


def test_a_folder_names_what_is_inside(zoo, tmp_path):
    with pytest.raises(WeightsError, match=r"is a folder; give the file in it: edsr-x4.safetensors, srgan"):
        locate_weights(zoo)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"empty is a folder without a .safetensors file"):
        locate_weights(tmp_path / "empty")


def test_finding_weights_imports_no_torch():
    code = (
        "import sys, kornia_srgan.weights.locate as l, kornia_srgan.weights.files; "
        "l.zoo_names(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
