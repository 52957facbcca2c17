"""One contract over every question kind and every model, on a rendered scene with known truth."""

import numpy as np
import pytest

from spatial_reward.camera import rigid
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.simulator import Simulator
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models import load_model
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Model

STEPS = 6


class Wander:
    """A camera that goes right, up and forwards, and turns right and down."""

    base = "default"

    def pose(self, world_from_base, distance, time):
        return world_from_base @ rigid(
            rotation_matrix([-0.1 * time, 0.12 * time, 0]), np.array([1, -1, 1]) * 0.05 * time
        )


LOCAL = (
    "oracle",
    "rgbd",
    "spatialnet",
)  # the others need a server or a checkpoint, and have their own contract


def record(step: float):
    """Film cubes on a table with a moving camera, one of them pushed by `step` [m] a frame."""
    env = make("SpatialReward/Stack-v0")
    env.reset(seed=4)
    model, data = env.unwrapped.model, env.unwrapped.data
    address = model.jnt_qposadr[model.body("cube_a").jntadr[0]]

    def states():
        for number in range(STEPS):
            data.qpos[address] += step if number else 0.0
            data.time += 0.4
            load_mujoco().mj_forward(model, data)
            yield number

    with Simulator(env, Wander(), 192, 192) as simulator:
        scene = capture_scene(simulator, states(), np.random.default_rng(0), points_per_body=48)
    env.close()
    return scene


@pytest.fixture(scope="module")
def scenes():
    return [record(step=0.02), record(step=0.0)]


@pytest.fixture(scope="module")
def questions(scenes):
    rng = np.random.default_rng(1)
    asked = {}
    for name, kind in KINDS.items():
        tries = [kind.ask(scene, rng, "strict") for scene in scenes for _ in range(6)]
        asked[name] = [question for question in tries if question is not None][:6]
    return asked


def test_the_scenes_support_every_kind(questions):
    assert not [name for name, asked in questions.items() if not asked]


@pytest.mark.parametrize("name", KINDS)
def test_the_oracle_is_always_right(name, questions):
    kind, oracle = KINDS[name], load_model("oracle")
    for question, answer in zip(questions[name], oracle.answer(questions[name]), strict=True):
        assert answer.valid and answer.unit == kind.unit and answer.source == "oracle"
        assert kind.score(answer, question, "paper") and kind.score(answer, question, "strict")


@pytest.mark.parametrize("name", KINDS)
def test_what_is_printed_is_read_back_and_scored_right(name, questions):
    kind, rng = KINDS[name], np.random.default_rng(2)
    for question in questions[name]:
        read = kind.read(kind.reply(question, rng), question)
        assert read.valid and kind.score(read, question, "strict")


@pytest.mark.parametrize("model_name", LOCAL)
@pytest.mark.parametrize("name", KINDS)
def test_every_model_answers_every_kind_or_says_why_not(name, model_name, questions):
    kind, model = KINDS[name], load_model(model_name)
    assert isinstance(model, Model)
    answers = model.answer(questions[name])
    assert len(answers) == len(questions[name])
    for answer, question in zip(answers, questions[name], strict=True):
        assert answer.source == model.name
        if answer.value is None:
            assert not answer.valid and answer.text
        else:
            assert answer.unit == kind.unit
            assert type(answer.value) is type(question.answer.value) and np.all(np.asarray(answer.std) >= 0)


def test_rgbd_is_mostly_right_where_it_says_that_it_knows(questions):
    model, right = load_model("rgbd"), []
    for name, asked in questions.items():
        for question, answer in zip(asked, model.answer(asked), strict=True):
            if answer.valid:
                right.append(KINDS[name].score(answer, question, "strict"))
    assert len(right) > 30 and np.mean(right) > 0.85, (len(right), np.mean(right))


def test_a_question_without_truth_is_unknown_to_the_oracle(questions):
    from dataclasses import replace

    [answer] = load_model("oracle").answer([replace(questions["cam_vec"][0], answer=None)])
    assert not answer.valid and "carries no truth" in answer.text


def test_noise_of_the_oracle_is_seeded_and_stated(questions):
    asked = questions["cam_vec"] * 50
    first, again = (load_model("oracle", noise=0.01, seed=3).answer(asked) for _ in range(2))
    errors = np.array([a.value - q.answer.value for a, q in zip(first, asked, strict=True)])
    assert errors.std() == pytest.approx(0.01, rel=0.2)
    assert all(isinstance(a, Answer) and np.all(a.std == 0.01) for a in first)
    assert [a.value.tobytes() for a in first] == [a.value.tobytes() for a in again]
    with pytest.raises(ValueError, match="`noise` must not be negative, got -1"):
        load_model("oracle", noise=-1)
