from kornia_srgan.inference.loaded import LoadedUpscalers
from kornia_srgan.inference.recipe import Recipe
from tests.helpers.tiny_weights import save_tiny_weights


def test_the_one_not_used_for_longest_makes_room(tmp_path):
    first, second, third = (Recipe(save_tiny_weights(tmp_path, name)) for name in "abc")
    loaded = LoadedUpscalers(2, tile=16)
    one, two = loaded.get(first), loaded.get(second)
    assert one is not two
    assert loaded.get(first) is one
    loaded.get(third)
    assert loaded.get(first) is one
    assert loaded.get(second) is not two
