"""Run a training recipe, or a sweep over its settings, by Hydra: `--multirun`, with any of its launchers.

python training/sweep.py --config-name study_data_scaling --multirun data=DATA validation=HELD_OUT
"""

from __future__ import annotations

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from spatial_reward.training.command import run


@hydra.main(version_base="1.3", config_path="recipes", config_name="vlm_paper")
def main(config: DictConfig) -> None:
    """Train as the composed configuration says, into the folder of the job."""
    settings = OmegaConf.to_container(config, resolve=True)
    settings["out"] = settings["out"] or f"{HydraConfig.get().runtime.output_dir}/run"
    print(run(settings.get("model", "spatialnet"), settings) / "summary.json")


if __name__ == "__main__":
    # Where the defaults of the recipes are; before the first `key=value`, as they must stand together.
    place = next((n for n, word in enumerate(sys.argv) if "=" in word and word[0] != "-"), len(sys.argv))
    sys.argv.insert(place, "hydra.searchpath=[pkg://spatial_reward.conf]")
    main()
