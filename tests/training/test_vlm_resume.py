import json
import os
import signal
import subprocess
import time

import pytest
from vlm_runs import command, environment, run, words_of

from spatial_reward.training.vlm_run import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def killed_after(line, folder, step):
    """Run a command line and kill it (-9) when its log has reached a step."""
    process = subprocess.Popen(line, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _has_reached(folder / "log.jsonl", step):
            assert process.poll() is None, "ended before it was killed"
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def _has_reached(log, step):
    lines = log.read_text().splitlines() if log.exists() else []
    return any(json.loads(line)["step"] >= step for line in lines if line.endswith("}"))


@pytest.mark.parametrize(("kind", "method"), [("internvl", "full"), ("qwen3_vl", "lora")])
def test_a_killed_run_goes_on_to_the_same_bits(tiny_models, question_set, tmp_path, kind, method):
    words = [f"method={method}", "batch=4", "per_device=2", "steps=12", "save_every=2", "keep=1"]
    lines = [
        command(*words_of(kind, tiny_models[kind], question_set, tmp_path / name, *words))
        for name in ("whole", "killed")
    ]
    run(lines[0])
    killed_after(lines[1], tmp_path / "killed", 5)
    assert not RunFolder(tmp_path / "killed").finished
    assert RunFolder(tmp_path / "killed").last_checkpoint() is not None
    run(lines[1])
    name = {"full": "model.safetensors", "lora": "adapter_model.safetensors"}[method]
    whole, resumed = ((tmp_path / run_ / "model" / name).read_bytes() for run_ in ("whole", "killed"))
    assert whole == resumed
    logs = [
        [line["loss"] for line in map(json.loads, (tmp_path / name / "log.jsonl").read_text().splitlines())
         if "loss" in line]
        for name in ("whole", "killed")
    ]  # fmt: skip
    assert logs[0] == logs[1]
    assert len(logs[0]) == 12
