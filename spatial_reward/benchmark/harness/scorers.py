"""Which scorers each benchmark has: those of the harnesses, by their names, and `strict`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spatial_reward.benchmark.harness import compat_helm, compat_lmms, compat_vlmevalkit
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import Scored
from spatial_reward.benchmark.harness.strict import strict

Scorer = Callable[[Item, str], Scored]

STRICT = "strict"
COMPAT: Mapping[str, Mapping[str, Scorer]] = {
    "blink": {"lmms_eval": compat_lmms.first_letter, "vlmevalkit_rules": compat_vlmevalkit.rules},
    "cv_bench": {"lmms_eval": compat_lmms.first_letter, "vlmevalkit_rules": compat_vlmevalkit.rules},
    "erqa": {
        "lmms_eval": compat_lmms.ranked_letter,
        "vlmevalkit_exact": compat_vlmevalkit.exact,
        "vlmevalkit_rules": compat_vlmevalkit.rules,
    },
    "vsi_bench": {"lmms_eval": compat_lmms.first_token, "vlmevalkit_rules": compat_vlmevalkit.rules},
    "roboreward": {"helm": compat_helm.answer_error},
}


def scorers(benchmark: str) -> dict[str, Scorer]:
    """Return the scorers of a benchmark, `strict` last."""
    return {**COMPAT[benchmark], STRICT: strict}


def scored(item: Item, reply: str) -> dict[str, Scored]:
    """Score a reply in every way."""
    return {name: scorer(item, reply) for name, scorer in scorers(item.benchmark).items()}
