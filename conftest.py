"""What pytest does not look into for doctests: the LeRobot plug-in cannot be imported without LeRobot."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("lerobot") else ["spatial_reward/lerobot"]
