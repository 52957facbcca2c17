import json

import pytest

from spatial_reward.training.vlm_run import LOG, RUN, STATE, RunFolder


@pytest.fixture
def folder(tmp_path):
    """A run with a whole checkpoint of step 2, and one of step 4 whose writing was interrupted."""
    run = RunFolder(tmp_path / "run")
    run.open({"rate": 1e-4, "data": ["a"]}, main=True)
    for step, state in ((2, '{"global_step": 2}'), (4, '{"global_st')):
        checkpoint = run.checkpoints / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        (checkpoint / STATE).write_text(state)
    (run.path / LOG).write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    return run


def test_a_half_written_checkpoint_does_not_count_and_is_removed(folder):
    assert folder.last_checkpoint().name == "checkpoint-2"
    folder.tidy()
    assert [path.name for path in folder.checkpoints.iterdir()] == ["checkpoint-2"]


def test_the_log_is_cut_back_to_the_checkpoint(folder):
    folder.tidy()
    steps = [json.loads(line)["step"] for line in (folder.path / LOG).read_text().splitlines()]
    assert steps == [1, 2]


def test_the_same_settings_go_on_and_others_are_refused(folder):
    folder.open({"rate": 1e-4, "data": ("a",)}, main=True)
    with pytest.raises(FileExistsError, match="was begun with other settings of rate: take another out"):
        folder.open({"rate": 2e-4, "data": ["a"]}, main=True)


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="already holds something"):
        RunFolder(tmp_path).open({}, main=True)
    assert not (tmp_path / RUN).exists()
