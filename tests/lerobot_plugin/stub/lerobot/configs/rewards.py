"""The registry of reward configurations, and what each can do."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lerobot.configs.types import FeatureType, PolicyFeature

_CHOICES: dict[str, type] = {}


@dataclass
class RewardModelConfig:
    input_features: dict = field(default_factory=dict)
    output_features: dict = field(default_factory=dict)
    device: str | None = None
    pretrained_path: str | None = None
    pretrained_revision: str | None = None
    push_to_hub: bool = False
    repo_id: str | None = None
    license: str | None = None
    tags: list[str] | None = None
    private: bool | None = None

    def __post_init__(self):
        self.device = self.device or "cpu"

    @classmethod
    def register_subclass(cls, name):
        def register(choice):
            _CHOICES[name] = choice
            return choice

        return register

    @classmethod
    def get_known_choices(cls):
        return _CHOICES

    @classmethod
    def get_choice_class(cls, name):
        return _CHOICES[name]

    @property
    def type(self):
        return next(name for name, choice in _CHOICES.items() if choice is self.__class__)

    @property
    def action_delta_indices(self):
        return None

    def _save_pretrained(self, save_directory):
        content = {"type": self.type, **asdict(self)}
        (Path(save_directory) / "config.json").write_text(json.dumps(content, indent=4))

    @classmethod
    def from_pretrained(cls, pretrained_name_or_path, *, revision=None, **_):
        content = json.loads((Path(pretrained_name_or_path) / "config.json").read_text())
        choice = cls.get_choice_class(content.pop("type"))
        for name in ("input_features", "output_features"):
            content[name] = {
                key: PolicyFeature(FeatureType(one["type"]), tuple(one["shape"]))
                for key, one in content[name].items()
            }
        return choice(**content)
