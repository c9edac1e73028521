import numpy as np
import pytest
from PIL import Image

from kornia_srgan.batch.launcher import Launch, this_launch
from kornia_srgan.batch.share import Share, parse_share
from kornia_srgan.errors import ArgumentError
from kornia_srgan.upscale import main
from tests.helpers.runner import assert_user_error, invoke


def test_shares_are_apart_whole_and_even():
    sizes = [9.0, 1, 1, 1, 5, 5, 0, 0, 3]
    shares = [Share(n, 3).of(range(9), lambda i: sizes[i]) for n in range(3)]
    assert sorted(i for share in shares for i in share) == list(range(9))
    assert all(share == sorted(share) for share in shares)
    assert max(sum(sizes[i] for i in share) for share in shares) <= 9


def test_files_of_no_known_size_are_shared_by_number():
    assert [len(Share(n, 3).of(range(9), lambda i: 0)) for n in range(3)] == [3, 3, 3]


def test_shares_are_typed_from_one():
    assert parse_share("2/5") == Share(1, 5)
    assert parse_share(None) == Share(0, 1)
    assert parse_share("auto") == Share(claims=True)
    for wrong in ("0/2", "3/2", "x", "1/0"):
        with pytest.raises(ArgumentError):
            parse_share(wrong)


def test_a_launcher_says_who_a_process_is():
    assert this_launch({}) is None
    assert this_launch({"WORLD_SIZE": "1", "RANK": "0"}) is None
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node"}
    assert this_launch(told | {"OMP_NUM_THREADS": "2"}) == Launch(3, 4, 1, "node", 2)
    assert this_launch(told | {"LOCAL_WORLD_SIZE": "4"}) == Launch(3, 4, 1, "127.0.0.1", None)


def test_the_module_runs_the_command(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["upscale", "--help"])
    assert main() == 0
    assert "--share" in capsys.readouterr().out


def test_two_shares_give_the_bytes_of_one(capsys, tmp_path):
    from kornia_srgan.registry.catalog import GENERATORS
    from kornia_srgan.weights.files import save_weights
    from kornia_srgan.weights.spec import WeightSpec

    args = {"channels": 4, "num_blocks": 1}
    module = GENERATORS.create("edsr", scale=4, **args)
    save_weights(tmp_path / "w.safetensors", module.state_dict(), WeightSpec(name="edsr", args=args, scale=4))
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png", "c.jpg"):
        Image.fromarray(rng.integers(0, 255, (5, 6, 3), np.uint8)).save(tmp_path / "in" / name)

    def run(folder, *more):
        line = ("upscale", tmp_path / "in", "-o", tmp_path / folder, "--weights", tmp_path / "w.safetensors")
        assert invoke(capsys, *line, *more).code == 0
        return {p.name: p.read_bytes() for p in (tmp_path / folder).glob("[!.]*")}

    whole = run("one")
    first = run("two", "--share", "1/2")
    assert 0 < len(first) < 3
    assert run("two", "--share", "2/2") == whole
    assert run("many", "--share", "4/4") == {}
    (tmp_path / "claims").mkdir()
    other = tmp_path / "claims" / ".b_x4.png.claim-0"
    other.write_text('{"host": "elsewhere", "process": 7}')
    assert run("claims", "--share", "auto").keys() == {"a_x4.png", "c_x4.png"}
    other.unlink()
    assert run("claims", "--share", "auto") == whole
    result = invoke(capsys, "upscale", tmp_path / "in", "-o", tmp_path / "x", "--share", "3/2")
    assert_user_error(result, "2/5 is the second of five")
