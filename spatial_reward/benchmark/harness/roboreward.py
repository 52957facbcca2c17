"""RoboRewardBench: how far a robot got, 1 to 5, in 2,831 checked videos (the test split of RoboReward).

Files: `test/metadata.jsonl` with file_name (of a video beside it), task and reward; or HELM's copy,
`test.json`, a list with original_id, task, episode_video_path and reward. The prompt is that of the models'
cards (teetone/RoboReward-8B), with the frames first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.items import Item, Source, images_first
from spatial_reward.benchmark.harness.pictures import from_video
from spatial_reward.benchmark.harness.source import found, json_rows, lacking

SOURCE = Source(
    "roboreward",
    "teetone/RoboReward",
    "d057d8e05cee8bbb12667de6d48042fe16d317e3",
    ("test/*",),
    "CC BY 4.0",
    "test",
)
SCORES = (1, 2, 3, 4, 5)
PROMPT = """\
Given the task, assign a discrete progress score reward (1,2,3,4,5) for the robot in the video in the \
format: ANSWER: <score>
Rubric for end-of-episode progress (judge only the final state without time limits):
1 - No Success: Final state shows no goal-relevant change for the command.
2 - Minimal Progress: Final state shows a small but insufficient change toward the goal.
3 - Partial Completion: The final state shows good progress toward the goal but violates more than one \
requirement or a major requirement.
4 - Near Completion: Final state is correct in region and intent but misses a single minor requirement.
5 - Perfect Completion: Final state satisfies all requirements.

Task: {}"""


def items(folder: Path, config: Mapping[str, Any], subsets: Collection[str] | None) -> Iterator[Item]:
    """Yield the questions; their subsets are the data sets that the episodes are from.

    Args:
        folder: Of the repository's files.
        config: `frames` of a video.
        subsets: Data sets; None is all.

    Raises:
        FileNotFoundError: If the questions are missing.
        ValueError: If a file is not of this format.
    """
    [path] = found(folder, "test/metadata.jsonl", "test.json")
    for number, row in enumerate(json_rows(path, ("task", "reward"))):
        item = _item(path, number, row, config["frames"])
        if subsets is None or item.subset in subsets:
            yield item


def _item(path: Path, number: int, row: Mapping[str, Any], frames: int) -> Item:
    key = "file_name" if "file_name" in row else "episode_video_path"
    lacking(path, (key,), row)
    name = str(row[key]).replace("\\", "/").removeprefix("collected/")
    if row["reward"] not in SCORES:
        raise ValueError(f"{path} gives {name} the reward {row['reward']!r}: it must be one of {SCORES}.")
    return Item(
        f"roboreward/{number}/{row.get('original_id', name)}",
        SOURCE.name,
        name.partition("/")[0] if "/" in name else "all",
        "score",
        images_first(frames, PROMPT.format(row["task"])),
        str(row["reward"]),
        (),
        from_video(path.parent / name, frames),
    )
