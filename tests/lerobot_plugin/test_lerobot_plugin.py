"""The plug-in as LeRobot's reward factory loads it, with measured depth and the simulator's truth."""

import importlib
import math
import pkgutil
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from spatial_reward.rewards import Judge, Shaping

IMAGE, DEPTH = "observation.images.front", "observation.images.depth"
GOAL = "near(cube, pad, within=4cm)"


@pytest.fixture(scope="module")
def plugin():
    """Import the package and every module in it, as `discover_packages_path` makes LeRobot do."""
    package = importlib.import_module("spatial_reward.lerobot")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return package


def config(clip, **changes):
    from lerobot.rewards import make_reward_model_config

    settings = dict(goal=GOAL, references=clip.references, model="rgbd", depth_key=DEPTH, device="cpu")
    return make_reward_model_config("spatial", **{**settings, **clip.lens, **changes})


def model_of(clip, **changes):
    from lerobot.rewards import make_reward_model

    return make_reward_model(config(clip, **changes))


def batch_of(clip, last=-1):
    """Return what LeRobot's dataset gives for `observation_delta_indices`: first and last frame."""
    images, depths = clip.images(), clip.depths()
    return {
        IMAGE: torch.stack([images[0], images[last]])[None],
        DEPTH: torch.stack([depths[0], depths[last]])[None],
        "task": ["push the cube onto the pad"],
    }


def test_the_factory_finds_configuration_model_and_processors(plugin, clip):
    from lerobot.rewards import get_reward_model_class, make_reward_pre_post_processors

    made = config(clip)
    assert isinstance(made, plugin.SpatialConfig) and made.type == "spatial"
    assert get_reward_model_class("spatial").__name__ == "SpatialRewardModel"
    before, after = make_reward_pre_post_processors(made, dataset_stats=None)
    processed = before(batch_of(clip))
    assert processed[IMAGE].shape == (1, 2, 3, 160, 160) and processed["task"] == batch_of(clip)["task"]
    assert callable(after)


def test_a_clip_of_two_frames_is_judged_since_the_episodes_first(plugin, clip):
    model = model_of(clip, reward="potential")
    assert model.is_trainable is False
    assert model.config.observation_delta_indices[0] <= -1_000_000
    for last in (0, 4, 8):
        reward = model.compute_reward(batch_of(clip, last))
        assert reward.shape == (1,)
        assert_allclose(reward.item(), -clip.distances[last], atol=0.005)


def test_every_frame_of_a_clip_has_progress_success_std_and_validity(plugin, clip):
    batch = {IMAGE: clip.images()[None], DEPTH: clip.depths()[None], "task": "push"}
    predicted = model_of(clip).predict_progress(batch)
    assert predicted.progress.shape == predicted.valid.shape == (1, len(clip.frames))
    true = 1 - np.array(clip.distances) / clip.distances[0]
    assert_allclose(predicted.progress[0], true.clip(0, 1), atol=0.03)
    assert predicted.valid.all() and (predicted.std[0, 1:] > 0).all() and predicted.std[0, 0] == 0


def test_a_stream_of_frames_gives_what_the_clip_gives_and_begins_anew(plugin, clip):
    model = model_of(clip, reward="potential")
    images, depths = clip.images(), clip.depths()
    of_clip = model.predict({IMAGE: images[None], DEPTH: depths[None]}).potential[0]
    for index in range(3):
        one = model.compute_reward({IMAGE: images[index][None], DEPTH: depths[index][None]})
        assert_allclose(one.item(), of_clip[index].item(), atol=1e-6)
    model.reset()
    first = {IMAGE: images[0][None], DEPTH: depths[0][None]}
    assert_allclose(model.compute_reward(first).item(), of_clip[0].item(), atol=1e-6)
    moved = {IMAGE: images[8][None], DEPTH: depths[8][None]}
    assert model.compute_reward(moved).item() > of_clip[0].item() + 0.05
    again = model.compute_reward({**first, "frame_index": torch.tensor([0])})
    assert_allclose(again.item(), of_clip[0].item(), atol=1e-6)


def test_the_goal_may_follow_the_task(plugin, clip):
    goals = {"push": GOAL, "hold": "keep(cube)"}
    model = model_of(clip, goal="", goals=goals, reward="potential")
    batch = {
        IMAGE: clip.images()[[0, 8]].repeat(2, 1, 1, 1, 1),
        DEPTH: clip.depths()[[0, 8]].repeat(2, 1, 1, 1, 1),
    }
    pushed, held = model.compute_reward({**batch, "task": ["push", "hold"]})
    assert_allclose(pushed.item(), -clip.distances[8], atol=0.005)
    assert held.item() < -0.1, "the cube did not stay"
    with pytest.raises(ValueError, match="There is no goal for the task 'stack'"):
        model.compute_reward({**batch, "task": ["push", "stack"]})


def test_what_is_unknown_is_nan_as_lerobots_weights_expect(plugin, clip):
    batch = batch_of(clip)
    batch[IMAGE][:, 1], batch[DEPTH][:, 1] = 0.0, math.nan
    model = model_of(clip)
    assert torch.isnan(model.compute_reward(batch)).all()
    assert not model.predict(batch).valid[0, 1]


def test_a_saved_configuration_makes_the_same_model(plugin, clip, tmp_path):
    from lerobot.rewards import make_reward_model

    model = model_of(clip, reward="potential")
    model.save_pretrained(tmp_path / "saved")
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["config.json"]
    other = config(clip, pretrained_path=str(tmp_path / "saved"))
    loaded = [type(model).from_pretrained(tmp_path / "saved"), make_reward_model(other)]
    assert loaded[0].config.references == {k: pytest.approx(v) for k, v in clip.references.items()}
    expected = model.compute_reward(batch_of(clip, 4))
    assert_allclose(loaded[0].compute_reward(batch_of(clip, 4)), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goal": "closeto(cube, pad)"}, "closeto"),
        ({"reward": "joy"}, "`reward` must be one of progress, success, potential, got 'joy'"),
        ({"history": 0}, "`history` must be at least 1, got 0"),
        ({"image_size": None}, "`intrinsics` and `image_size` belong together"),
        ({"references": {"cube": [1.0]}}, r"`references` are \[x, y\]"),
    ],
)
def test_a_bad_setting_is_refused_when_it_is_made(plugin, clip, changes, message):
    with pytest.raises(ValueError) as caught:
        config(clip, **changes)
    words = f"{caught.value} {caught.value.__cause__}"  # the factory wraps what it does not know
    assert re.search(message, words)


def test_a_batch_without_the_pictures_says_which_it_has(plugin, clip):
    with pytest.raises(KeyError, match=r"observation\.images\.wrist"):
        model_of(clip).compute_reward({"observation.images.wrist": clip.images()})


def transition(clip, index, reward=-1.0):
    from lerobot.lerobot_types import TransitionKey

    observation = {IMAGE: clip.images()[index][None], DEPTH: clip.depths()[index][None]}
    return {
        TransitionKey.OBSERVATION: observation,
        TransitionKey.REWARD: reward,
        TransitionKey.DONE: False,
        TransitionKey.TRUNCATED: False,
        TransitionKey.INFO: {"kept": 1},
    }


def step_of(clip, **changes):
    from lerobot.processor import ProcessorStepRegistry

    settings = dict(goal=GOAL, references=clip.references, model="rgbd", image_key=IMAGE, depth_key=DEPTH)
    return ProcessorStepRegistry.get("spatial_reward")(**{**settings, **clip.lens, **changes})


def test_the_step_rewards_transitions_as_shaping_does(plugin, clip):
    from lerobot.lerobot_types import TransitionKey

    step, judge, shaping = step_of(clip, gamma=0.9), Judge(GOAL), Shaping(gamma=0.9)
    first = step(transition(clip, 0))
    assert first[TransitionKey.REWARD] == -1.0, "nothing has been done yet"
    watching = importlib.import_module("spatial_reward.lerobot.judging").Watching(
        GOAL, step._watching.references, step._measuring
    )
    shaping.reset(watching.see(step._frame(transition(clip, 0)[TransitionKey.OBSERVATION])))
    for index in (4, 8):
        rewarded = step(transition(clip, index))
        signal = watching.see(step._frame(transition(clip, index)[TransitionKey.OBSERVATION]))
        assert_allclose(rewarded[TransitionKey.REWARD], shaping.step(signal, -1.0).total)
        info = rewarded[TransitionKey.INFO]
        assert info["kept"] == 1 and info["spatial_reward/valid"] is True
        assert_allclose(info["spatial_reward/potential"], -clip.distances[index], atol=0.005)
    assert judge.goal.names == ("cube", "pad")


def test_the_step_ends_an_episode_only_when_asked(plugin, clip):
    from lerobot.lerobot_types import TransitionKey

    for asked in (False, True):
        step = step_of(clip, goal="near(cube, pad, within=20cm)", terminate_on_success=asked)
        dones = [step(transition(clip, index))[TransitionKey.DONE] for index in (0, 7, 8)]
        assert dones == [False, asked, asked] or dones == [False, False, asked]
        step.reset()
        assert step(transition(clip, 0))[TransitionKey.DONE] is False


def test_the_step_can_be_saved_and_leaves_other_transitions_alone(plugin, clip):
    from lerobot.lerobot_types import TransitionKey

    step = step_of(clip)
    made = type(step)(**step.get_config())
    assert made.get_config() == step.get_config()
    blind = {TransitionKey.OBSERVATION: {"observation.state": torch.zeros(3)}, TransitionKey.REWARD: 2.0}
    assert step(blind) is blind
