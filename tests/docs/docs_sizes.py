"""How the commands of the documentation are made small enough for a test, and which are not run, and why."""

NETWORK = "installs packages over the network; that its extras exist is tested"
GPU = "takes a GPU"
CLUSTER = "takes a cluster"
FAR = "takes a checkpoint from the network, or a server of one"
FROZEN = "tested with the frozen questions, in tests/benchmark/test_multispa_sim.py"

# By how a command begins. All of them are composed, where they start `spatial-reward`.
NOT_RUN = {
    "pip install": NETWORK,
    "make ": "sets up an environment over the network; that the target exists is tested",
    "sbatch": CLUSTER,
    "accelerate launch": "two processes are run in tests/training/test_vlm_distributed.py; more take GPUs",
    "spatial-reward benchmark suite=multispa model=endpoint": FAR,
    "spatial-reward generate source=random_scenes source.scenes=4": "tests/data/test_workers.py starts Ray",
    "spatial-reward benchmark suite=public": "takes public sets; see tests/benchmark/test_public_suite.py",
    "spatial-reward retrain": "trains for minutes; for seconds in tests/retrain/test_retrain.py",
    "python -m spatial_reward.benchmark.multispa_sim": FROZEN,
    "python -m spatial_reward.benchmark.vlm_speed": GPU,
    "python -m spatial_reward.models.tiny_vlm runs/8b": "16 GB of random weights",
    "python training/sweep.py": "recipes and sweeps are run in tests/training/test_vlm_recipes.py",
}

_SCENES = ("source.scenes=2", "source.frames=6")
_TINY = (
    "base=runs/tiny",
    "tiles=1",
    "precision=no",
    "workers=0",
    "length=512",
    "steps=1",
    "validation_count=4",
    "batch=2",
    "per_device=2",
)
# (page or "" for all, how the command begins, words that replace or join its own)
SMALLER = [
    ("", "demo", ("episodes=1", "recordings=1", "steps=8")),
    ("", "generate source=mujoco", (*_SCENES, "source.size=96", "count=52", "report=false")),
    (
        "",
        "generate source=random_scenes",
        (*_SCENES, "source.sizes=[96]", "count=52", "report=false", "workers=2"),
    ),
    ("", "generate source=scannet", ("count=26", "report=false", "workers=1")),
    ("", "generate source=tapvid3d", ("count=26", "report=false", "workers=1")),
    ("", "generate source=episodes", ("count=26", "report=false", "workers=1")),
    ("", "generate --config-dir my_conf", ("count=26", "report=false", "workers=1")),
    ("", "annotate", ("workers=1", "reports=1", "overlays=1", "recordings=1")),
    ("data/README.md", "annotate my_dataset camera=front goal", ("points={cube:[75,114],pad:[118,185]}",)),
    ("", "calibrate", ("episodes=3", "steps=30", "held_out=0.4")),
    ("", "perceive", ("steps=6", "every=3", "checked=200")),
    ("", "audit", ("episodes=1", "frames=8", "best_of=1", "search=null", "failures=false", "size=96")),
    ("", "benchmark suite=multispa", ("count=1", "subtasks=[depth_est_dot]", "split=mini", "report=false")),
    ("benchmark/README.md", "benchmark suite=multispa model=rgbd", ("out=OTHER_RUN",)),
    ("", "benchmark set=questions", ("subtasks=[depth_est_dot,obj_vec_coord_pstudio]", "report=false")),
    ("", "benchmark suite=reward", ("episodes=1", "frames=8", "behaviours=[success,idle]")),
    (
        "",
        "benchmark suite=rl",
        (
            *("envs=[SpatialReward/Reach-v0]", "rewards=[shaping,clock]", "jobs=1"),
            *("steps=40", "seeds=1", "evaluations=1", "episodes=1", "size=64"),
        ),
    ),
    ("", "benchmark suite=speed", ("parts=[network,step,rendering]", "rounds=1", "seconds=0.05")),
    ("", "train model=vlm", _TINY),
]
