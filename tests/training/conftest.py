"""A question set of all subtasks, and tiny models of both families."""

import pytest
from small_scenes import make_set

FAMILIES = ("internvl", "qwen3_vl")


@pytest.fixture(scope="session")
def question_set(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("sets") / "small.set", count=260, depth=False)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Folders of tiny checkpoints by family, with few tokens per picture."""
    from spatial_reward.models.tiny_vlm import build_tiny_vlm

    folder = tmp_path_factory.mktemp("models")
    return {family: build_tiny_vlm(folder / family, family, tile=32) for family in FAMILIES}


@pytest.fixture(scope="session", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="session")
def tiny(tiny_models, family):
    return tiny_models[family]
