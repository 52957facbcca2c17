import os

import pytest
import torch

from spatial_reward.training.spatialnet_processes import shares, train_together


def alone():
    assert "RANK" not in os.environ and torch.get_num_threads() == 1


def one_fails():
    together = torch.distributed
    together.init_process_group("gloo")
    together.all_reduce(torch.ones(1))
    if os.environ["RANK"] == "1":
        raise ValueError("a shard of the second is damaged")
    together.all_reduce(torch.ones(1))


@pytest.mark.parametrize(
    ("clips", "cores", "processes"), [(4, 1, 1), (4, 2, 2), (4, 3, 2), (4, 16, 4), (6, 4, 3), (4, 0, 1)]
)
def test_processes_have_a_core_each_and_share_clips_evenly(clips, cores, processes):
    assert shares(clips, cores) == processes


def test_one_core_takes_one_process_and_leaves_threads_as_they_were():
    before = torch.get_num_threads()
    train_together(alone, 4, 1)
    assert torch.get_num_threads() == before and "RANK" not in os.environ


def test_what_fails_in_one_process_is_said_and_the_others_do_not_wait():
    with pytest.raises(ValueError, match="a shard of the second is damaged"):
        train_together(one_fails, 2, 2)
    assert "RANK" not in os.environ
