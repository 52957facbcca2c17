"""Pipelines of steps over transitions."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from lerobot.lerobot_types import TransitionKey


class ProcessorStepRegistry:
    _registry: ClassVar[dict[str, type]] = {}

    @classmethod
    def register(cls, name=None):
        def register(step_class):
            if name in cls._registry:
                raise ValueError(f"Processor step '{name}' is already registered.")
            cls._registry[name] = step_class
            return step_class

        return register

    @classmethod
    def get(cls, name):
        return cls._registry[name]


class ProcessorStep(abc.ABC):
    @abc.abstractmethod
    def __call__(self, transition): ...

    def get_config(self):
        return {}

    def reset(self):
        return None

    @abc.abstractmethod
    def transform_features(self, features): ...


@dataclass
class AddBatchDimensionProcessorStep(ProcessorStep):
    def __call__(self, transition):
        observation = {
            key: value[None] if "image" in key and value.ndim == 3 else value
            for key, value in transition[TransitionKey.OBSERVATION].items()
        }
        return {**transition, TransitionKey.OBSERVATION: observation}

    def transform_features(self, features):
        return features


@dataclass
class DeviceProcessorStep(ProcessorStep):
    device: str = "cpu"

    def __call__(self, transition):
        observation = {k: v.to(self.device) for k, v in transition[TransitionKey.OBSERVATION].items()}
        return {**transition, TransitionKey.OBSERVATION: observation}

    def transform_features(self, features):
        return features


def _to_transition(batch):
    observation = {key: value for key, value in batch.items() if key.startswith("observation")}
    complementary = {key: batch[key] for key in ("task",) if key in batch}
    return {TransitionKey.OBSERVATION: observation, TransitionKey.COMPLEMENTARY_DATA: complementary}


def _to_batch(transition):
    return {**transition[TransitionKey.OBSERVATION], **transition[TransitionKey.COMPLEMENTARY_DATA]}


def policy_action_to_transition(action):
    return {TransitionKey.ACTION: action, TransitionKey.OBSERVATION: {}, TransitionKey.COMPLEMENTARY_DATA: {}}


@dataclass
class PolicyProcessorPipeline:
    steps: Sequence[ProcessorStep] = field(default_factory=list)
    name: str = "pipeline"
    to_transition: Callable[[Any], Any] = _to_transition
    to_output: Callable[[Any], Any] = _to_batch

    def __call__(self, data):
        with torch.no_grad():
            transition = self.to_transition(data)
            for step in self.steps:
                transition = step(transition)
            return self.to_output(transition)
