"""What pages take for granted: a dataset of the reader, a robot's MJCF, downloads, weights."""

from docs_pages import ROOT
from recorded_rollouts import FPS, rollout
from small_scenes import make_set

from spatial_reward.data.episodes.described import FILES
from spatial_reward.data.episodes.write_hdf5 import write_hdf5
from spatial_reward.data.episodes.write_lerobot import write_lerobot

ROBOT = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -1.2 0.9" xyaxes="1 0 0 0 0.6 0.8"/>
    <geom name="floor" type="plane" size="1 1 0.1" rgba="0.5 0.5 0.55 1"/>
    <body name="red cube" pos="0 0 0.1"><freejoint/>
      <geom type="box" size="0.08 0.06 0.1" rgba="0.8 0.2 0.2 1"/></body>
    <body name="ball" pos="0.3 0.1 0.1"><freejoint/><geom size="0.1" rgba="0.2 0.4 0.8 1"/></body>
  </worldbody>
</mujoco>
"""


def folder(page, place):
    """Put into a folder what the commands of a page expect there."""
    if page in _FILES:
        _FILES[page](place)


def surroundings(place):
    """Put into a folder what commands need to be composed: folders of a checkout, files of the reader."""
    for name in ("training", "docs", "envs", "examples", "benchmark"):
        (place / name).symlink_to(ROOT / name)
    _configuration(place)


def names(page):
    """Return the variables that a page expects of the reader."""
    if page != "benchmark/README.md":
        return {}
    from spatial_reward.models import load_model

    return {"model": load_model("oracle")}


def _configuration(place):
    (place / "my_conf" / "source").mkdir(parents=True)
    (place / "my_conf" / "source" / "mine.yaml").write_text("name: my_module:MyScenes\n")


def _readme(place):
    (place / "my_robot.xml").write_text(ROBOT)


def _scenes(place):
    (place / "envs").symlink_to(ROOT / "envs")


def _datasets(place):
    write_lerobot([rollout(seed, 8, size=224) for seed in range(2)], place / "my_dataset", FPS)


def _data(place):
    """Small datasets in every format that the page names, with the files beside them."""
    from spatial_reward.data.export.fixtures import write_fixtures

    _readme(place)
    _datasets(place)
    demonstrations = [rollout(0, 8, cameras=("agentview",))]
    write_hdf5(demonstrations, place / "libero.hdf5", FPS)
    described = write_lerobot(demonstrations, place / "described", FPS)
    for name in FILES.values():
        (described / name).rename(place / name)
    write_fixtures(place / "downloads", 1)
    (place / "downloads" / "scannet").rename(place / "ScanNet")
    (place / "scannetv2_train.txt").write_text("scene0000_00\n")
    (place / "downloads" / "tapvid3d").rename(place / "tapvid3d_dataset")
    (place / "downloads" / "episodes").rename(place / "my_episodes")
    _configuration(place)
    (place / "my_module.py").write_text(
        "from spatial_reward.data.sources.random_scenes import RandomScenes\n\n\n"
        "class MyScenes(RandomScenes):\n"
        "    def __init__(self):\n"
        "        super().__init__(scenes=2, frames=6, sizes=(96,))\n"
    )


def _training(place):
    (place / "training").symlink_to(ROOT / "training")  # recipes
    from spatial_reward.models.tiny_vlm import main

    main([str(place / "runs" / "tiny"), "family=internvl", "tile=32"])


def _scale(place):
    _training(place)
    make_set(place / "data" / "questions", count=26)


def _benchmark(place):
    from spatial_reward.benchmark.multispa_sim import build, load_multispa_sim
    from spatial_reward.benchmark.multispa_sim_shards import write_question_set

    build(place / "FOLDER", "mini", depth=True, workers=1)
    write_question_set(load_multispa_sim("mini"), place / "FOLDER")
    (place / "my_module.py").write_text(
        "from spatial_reward.models.rgbd import RGBD\n\n\nclass MyModel(RGBD):\n    name = 'mine'\n"
    )


_FILES = {
    "README.md": _readme,
    "data/README.md": _data,
    "benchmark/README.md": _benchmark,
    "envs/README.md": _scenes,
    "training/README.md": _training,
    "docs/scale.md": _scale,
    "docs/tutorials/annotate.md": _datasets,
}
