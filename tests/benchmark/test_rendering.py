"""The speed table holds what it says."""

import subprocess
import sys

from spatial_reward.benchmark.rendering import Row, markdown

# In a process of its own: MuJoCo's renderer takes the OpenGL that was chosen when MuJoCo was imported.
SCRIPT = """
from spatial_reward.benchmark.rendering import rendering_table
for row in rendering_table(sizes=(32,), seconds=0.05, scenes=("SpatialReward/Push-v0",)):
    print(*row, sep=";")
"""


def test_a_row_for_each_picture_with_the_ratio_of_its_speeds():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100)
    rows = [line.split(";") for line in done.stdout.splitlines()]
    together = ["RGB + depth", "RGB + depth + segmentation", "written"]
    assert [row[2] for row in rows] == ["RGB", "depth", "segmentation", *together], done.stderr
    for _, size, _, baseline, ours, ratio, cpu in rows:
        assert size == "32" and float(cpu) > 0
        assert float(ratio) == float(ours) / float(baseline)
    assert float(rows[0][5]) > 1  # shadows cost more than all else


def test_the_table_is_markdown():
    lines = markdown([Row("Push", 128, "RGB", 10.0, 25.0, 2.5, 4.04)]).splitlines()
    assert lines[-1] == "| Push | 128 | RGB | 10 | 25 | 2.5 | 4.0 |"
    assert len({line.count("|") for line in lines}) == 1
