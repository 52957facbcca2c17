"""Small fine-tuning runs: in this process, or by the command line."""

import os
import subprocess
import sys

from spatial_reward.config import compose
from spatial_reward.training.vlm import train_vlm

SMALL = {
    "internvl": ["tiles=1"],
    "qwen3_vl": ["most_pixels=4096"],
}
WORDS = ["precision=no", "workers=0", "length=512", "log_every=1", "rate=1e-3"]


def words_of(family, base, data, out, *others):
    return [f"base={base}", f"data={data}", f"out={out}", *SMALL[family], *WORDS, *others]


def train(family, base, data, out, *others):
    """Train in this process; return the folder."""
    return train_vlm(compose("train_vlm", words_of(family, base, data, out, *others)))


def command(*words):
    """Return the command line that trains, as a list."""
    return [sys.executable, "-m", "spatial_reward.cli", "train", "model=vlm", *words]


def launched(*words, config, processes=2):
    """Return the command line that trains with several processes on the CPU."""
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--config_file", config]
    options = ["--num_processes", str(processes), "--mixed_precision", "no", "--main_process_port", "0"]
    return [*launcher, *options, "--module", "spatial_reward.cli", "train", "model=vlm", *words]


def run(line):
    """Run a command line to its end, which must be good; return what it printed."""
    done = subprocess.run(line, capture_output=True, text=True, timeout=500, env=environment())
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
