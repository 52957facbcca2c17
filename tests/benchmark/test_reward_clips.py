import numpy as np
import pytest

from spatial_reward.benchmark.reward_clips import Clip, delayed, frozen, reverse, shuffle
from spatial_reward.benchmark.reward_episodes import Stage, instants, robot_addresses
from spatial_reward.benchmark.reward_metrics import spearman_with_time, trend
from spatial_reward.benchmark.reward_recordings import clip_path, load_clip, recorded_layouts, save_clip
from spatial_reward.benchmark.reward_scorers import as_scorer, load_scorer
from spatial_reward.benchmark.reward_words import in_words
from spatial_reward.envs.outcomes import outcome
from spatial_reward.envs.simulator import physics
from spatial_reward.rewards import parse_goal

ORACLE = load_scorer({"name": "oracle"})


@pytest.fixture(scope="module")
def stage():
    stage = Stage.of("SpatialReward/Push-v0", None, None, 96)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def take(stage):
    return stage.play(outcome(stage.name, "success"), 120, seed=0, frames=16, behaviour="success")


def test_a_clip_shows_the_attempt_and_knows_the_truth(take):
    clip, truth = take.clip, take.clip.truth()
    assert len(clip.frames) == len(clip.positions) == len(take.states) <= 16
    assert truth.progress[0] == 0 and truth.success[-1] == 1 and truth.distance[-1] < 0.04
    assert clip.motion()[0] == 0 and clip.motion()[-1] > 0.08
    part = clip.moving()
    assert 6 <= part.stop - part.start <= 10  # half of the pictures are of the push
    assert set(clip.goal.names) < set(clip.references)  # distractors are followed too


def test_the_oracle_draws_the_true_curve(take):
    curve, truth = ORACLE.curve(take.clip), take.clip.truth()
    assert curve.valid.all() and curve.metric
    assert curve.potential == pytest.approx(-truth.distance, abs=1e-9)
    assert curve.progress == pytest.approx(truth.progress, abs=1e-9)
    assert curve.motion == pytest.approx(take.clip.motion(), abs=1e-9)


def test_controls_of_pictures_keep_truth_and_pictures_together(take):
    clip = take.clip
    for control in (frozen(clip), delayed(clip), reverse(clip), shuffle(clip)):
        curve, truth = ORACLE.curve(control), control.truth()
        assert curve.valid.all() and curve.progress == pytest.approx(truth.progress, abs=1e-9)
        assert len({id(frame) for frame in control.frames}) == len(control.frames)
        times = [frame.time for frame in control.frames]
        assert len(set(times)) == len(times)
    assert np.ptp(frozen(clip).truth().distance) == 0
    assert sum(delayed(clip).truth().progress == 0) >= len(clip.frames)
    backwards = reverse(clip).truth()
    assert trend(-backwards.distance, np.ones(len(clip.frames), bool), 0.003) < -0.9
    shuffled = shuffle(clip)
    assert shuffled.frames[0].rgb is clip.frames[0].rgb
    assert abs(spearman_with_time(shuffled.truth().distance, np.ones(len(clip.frames), bool))) < 0.05


def test_models_get_only_what_they_say_they_need(take):
    seen = []

    class Curious:
        name = "curious"
        needs = frozenset({"camera"})

        def answer(self, questions):
            seen.extend(questions)
            return ORACLE.model.answer(questions)

    curve = as_scorer(Curious()).curve(take.clip)
    assert seen and all(one.answer is None and one.frames[1].depth is None for one in seen)
    assert curve.valid.tolist() == [True] + [False] * (len(take.clip.frames) - 1)


def test_a_scorer_of_clips_may_give_progress_alone_but_for_every_frame(take):
    class Bright:
        name = "bright"

        def score(self, frames, goal):
            assert goal == "bring the cube to the pad" and frames[0].depth is None
            return np.array([frame.rgb.mean() / 255 for frame in frames])

    curve = as_scorer(Bright()).curve(take.clip)
    assert not curve.metric and np.isnan(curve.success).all() and curve.verdict is curve.progress
    with pytest.raises(ValueError, match=r"one number for each of \d+ frames, got \(3,\)"):
        as_scorer(type("Short", (Bright,), {"score": lambda *_: np.zeros(3)})()).curve(take.clip)
    with pytest.raises(TypeError, match="neither answers questions"):
        as_scorer(3)


def test_a_recorded_clip_is_read_back_whole(take, tmp_path):
    path = clip_path(tmp_path, take.clip)
    save_clip(take.clip, path)
    read = load_clip(path)
    assert list(recorded_layouts(tmp_path).values()) == [[path]] and str(read.goal) == str(take.clip.goal)
    for first, second in zip(take.clip.frames, read.frames, strict=True):
        assert (first.rgb == second.rgb).all() and first.time == second.time
        np.testing.assert_array_equal(first.depth, second.depth)
        assert first.camera.world_from_camera == pytest.approx(second.camera.world_from_camera)
    assert ORACLE.curve(read).potential == pytest.approx(ORACLE.curve(take.clip).potential)
    assert reverse(read).truth().distance == pytest.approx(reverse(take.clip).truth().distance)


def test_other_files_are_no_clips(tmp_path):
    with pytest.raises(FileNotFoundError, match="no clips"):
        recorded_layouts(tmp_path)
    np.savez(tmp_path / "other.npz", rgb=np.zeros(3))
    with pytest.raises(ValueError, match="is no recorded clip"):
        recorded_layouts(tmp_path)


def test_restoring_a_state_brings_everything_back(stage, take):
    stage.restore(take.states[-1])
    end = stage.positions()
    stage.restore(take.states[0])
    assert np.linalg.norm(stage.positions()["cube"] - end["cube"]) > 0.08
    stage.restore(take.states[-1])
    assert all(stage.positions()[name] == pytest.approx(end[name]) for name in end)


def test_the_robot_is_what_is_not_freely_movable(stage, take):
    model, _ = physics(stage.env)
    free = sum(model.jnt_type == 0)
    assert robot_addresses(stage).sum() == model.nq - 7 * free
    assert stage.body("cube") and stage.body("pad") is None


@pytest.mark.parametrize("count", [8, 24, 60])
def test_instants_are_in_order_and_begin_and_end_with_the_attempt(count):
    distance = np.r_[np.full(20, 0.3), np.linspace(0.3, 0, 12), np.zeros(18)]
    chosen = instants(distance, distance < 0.02, count)
    assert chosen[0] == 0 and chosen[-1] == 49 and (np.diff(chosen) > 0).all() and len(chosen) <= count + 2
    if count < 50:
        assert sum((chosen >= 19) & (chosen <= 32)) >= count // 2 - 1


def test_a_clip_without_the_truth_of_each_frame_is_refused(take):
    clip = take.clip
    with pytest.raises(ValueError, match=r"positions of each: got \d+, 0"):
        Clip(clip.frames, clip.goal, clip.references, (), clip.end_references)


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ("lift(cube, by=10cm)", "lift the cube by 10cm"),
        ("move(drawer_link, by=(0cm, -19cm, 0cm))", "move the drawer link by (0cm, -19cm, 0cm)"),
        ("move(cube, to=(10cm, 0cm, 2cm))", "move the cube to the place (10cm, 0cm, 2cm)"),
        ("move(object0, by=5cm)", "move the object by 5cm"),
        ("all_of(keep(vase), near(a, b, within=1cm))", "leave the vase where it is and bring the a to the b"),
    ],
)
def test_goals_are_put_in_words(goal, words):
    assert in_words(parse_goal(goal)) == words
