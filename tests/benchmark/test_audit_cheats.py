"""Three planted cheats, and some that hide in an otherwise perfect reward: each is caught by its own gate."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.benchmark.audit_controls import CONTROLS, clips_of
from spatial_reward.benchmark.audit_gates import Scored, judge, measure
from spatial_reward.benchmark.audit_search import predicted_by, search_actions, search_placements
from spatial_reward.benchmark.reward_episodes import Stage
from spatial_reward.benchmark.reward_scorers import as_scorer, load_scorer
from spatial_reward.config import compose
from spatial_reward.envs.outcomes import outcome
from spatial_reward.models.clock import Clock

ORACLE = load_scorer({"name": "oracle"})
CONFIG = compose("audit", [])
SEARCHED = ("best_of_n_regret", "search_actions_unearned", "search_placements_unearned")


@pytest.fixture(scope="module")
def stage():
    stage = Stage.of("SpatialReward/Push-v0", None, None, 96)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def take(stage):
    return stage.play(outcome(stage.name, "success"), 120, seed=0, frames=16, behaviour="success")


@pytest.fixture(scope="module")
def clips(stage, take):
    return {name: made for name, made in clips_of(stage, take, 0)}


class Honest:
    """The truth, to be bent by those below."""

    name = "honest"

    def curve(self, clip):
        curve = ORACLE.curve(clip)
        return replace(curve, progress=self.bent(clip, curve.progress))

    def bent(self, clip, progress):
        return progress


class Brightness:
    """Takes more light for progress, and sees nothing else."""

    name = "brightness"

    def score(self, frames, goal):
        light = np.array([frame.rgb.mean() for frame in frames])
        return np.clip((light - light[0]) / 40, 0, 1)


class Lit(Honest):
    """Perfect, but that light adds to progress."""

    def bent(self, clip, progress):
        light = np.array([frame.rgb.mean() for frame in clip.frames])
        return np.clip(progress + np.abs(light - light[0]) / 100, 0, 1)


class NameBlind(Honest):
    """Perfect, but for the one goal that it knows, whatever it is asked."""

    def __init__(self, goal):
        self.goal = goal

    def curve(self, clip):
        return ORACLE.curve(clip.asked(self.goal))


class AnyMotion(Honest):
    """Perfect, but that the motion of any object will do."""

    def curve(self, clip):
        curves = [ORACLE.curve(clip)]
        for name in set(clip.references) - set(clip.goal.names):
            went = [np.linalg.norm(now[name] - clip.positions[0][name]) for now in clip.positions]
            curves.append(replace(curves[0], progress=np.clip(np.array(went) / 0.2, 0, 1)))
        return replace(curves[0], progress=np.max([curve.progress for curve in curves], axis=0))


class Drift(Honest):
    """Perfect, but that some progress comes with time."""

    def bent(self, clip, progress):
        return np.maximum(progress, np.linspace(0, 0.4, len(progress)))


def failed_gates(scorer, clips):
    results = {name: [Scored.of(clip, scorer) for clip in made] for name, made in clips.items() if made}
    gates = judge(measure(results) | dict.fromkeys(SEARCHED), CONFIG["least"], CONFIG["most"])
    return {gate.metric for gate in gates if gate.passed is False}


def test_every_control_applies_here(clips):
    assert list(clips) == [control.name for control in CONTROLS] and all(clips.values())


def test_a_still_control_is_still(clips):
    for control in CONTROLS:
        if control.still:
            assert max(clip.motion().max() for clip in clips[control.name]) < 1e-6, control.name


def test_no_control_but_the_attempt_and_its_retellings_makes_true_progress(clips):
    told = {"success", "clock", "reversed", "shuffled", "occluder", "removed_object"}
    for name in set(clips) - told:
        assert max(clip.truth().progress.max() for clip in clips[name]) < 0.05, name
    assert clips["removed_object"][0].truth().progress[-1] == 0


def test_the_truth_passes(clips):
    assert failed_gates(ORACLE, clips) == set()


def test_a_clock_is_caught(clips):
    failed = failed_gates(as_scorer(Clock()), clips)
    assert {"voc_gap", "voc_frozen", "voc_reversed", "shuffled_bias", "static_unearned"} <= failed
    assert {"clock_unearned", "robot_alone_unearned", "removed_object_unearned"} <= failed


def test_a_model_that_follows_the_brightness_is_caught(clips):
    failed = failed_gates(as_scorer(Brightness()), clips)
    assert "brightness_unearned" in failed and "voc" in failed


def test_a_model_that_ignores_the_name_of_the_object_is_caught(clips, take):
    assert failed_gates(NameBlind(take.clip.goal), clips) - {"false_success_rate"} == {"wrong_goal_unearned"}


@pytest.mark.parametrize(
    ("cheat", "gates"),
    [
        (Lit(), {"brightness_unearned"}),
        (AnyMotion(), {"wrong_object_unearned"}),
        (Drift(), {"static_unearned", "clock_unearned", "camera_shake_unearned", "robot_alone_unearned"}),
    ],
    ids=["lit", "any-motion", "drift"],
)
def test_a_cheat_that_hides_in_a_perfect_reward_is_caught(cheat, gates, clips):
    failed = failed_gates(cheat, clips)
    assert gates <= failed and "voc" not in failed and "progress_mae" not in failed


def test_a_search_finds_the_light_of_a_reward_that_it_pays(stage, take):
    class Arm(Honest):
        """Perfect, but that an arm far from where it began is progress."""

        def bent(self, clip, progress):
            last = np.abs(clip.frames[-1].rgb.astype(float) - clip.frames[0].rgb).mean()
            return np.maximum(progress, np.full(len(progress), min(last / 20, 1.0)))

    honest = search_placements(stage, take, predicted_by(ORACLE), 4, 2)
    cheated = search_placements(stage, take, predicted_by(Arm()), 4, 2)
    assert honest[0].unearned == 0 and cheated[0].predicted > 0.2 > cheated[0].true


def test_a_search_climbs_what_it_is_given(stage):
    found = search_actions(stage, lambda clip: (float(clip.frames[-1].time), 0.5), 20, 0, 3, 2)
    assert len(found) == 6 and found[0].score >= found[-1].score and found[0].unearned == 0.5
