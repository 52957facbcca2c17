"""The pages of the documentation, their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# Read by users and executed, and records of what was measured, whose commands must still compose.
GUIDES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    *(path for name in ("benchmark", "data", "envs", "training") for path in [ROOT / name / "README.md"]),
    *sorted((ROOT / "envs").glob("*/README.md")),
]
RECORDS = [
    *sorted((ROOT / "benchmark" / "results").glob("*.md")),
    *sorted(path for path in (ROOT / "training").glob("*.md") if path.name != "README.md"),
    ROOT / "CONTRIBUTING.md",
]
PROGRAMS = ("spatial-reward", "python", "pip", "make", "accelerate", "sbatch", "rerun", "mkdocs", "cp")
SLOW = "<!-- slow -->"  # before a block: its commands take longer than a test may
BLOCK = re.compile(rf"^({re.escape(SLOW)}\n+)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(
    r"(?<!`)`(spatial-reward [^`\n]+|python (?:-m|docs/|envs/|examples/|training/)[^`\n]+)`(?!`)"
)


class Block(NamedTuple):
    """A block of code: its language, its text, the line of the page that it begins on, whether it is slow."""

    language: str
    text: str
    line: int
    slow: bool


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(match[2], match[3], text.count("\n", 0, match.start(2)) + 1, bool(match[1]))
        for match in BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[list[str]]:
    """Return the commands of a block, as lists of words; of Bash every line must be one."""
    if block.language not in ("", "bash"):
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    split = [words for line in lines if (words := _words(line, block.language))]
    known = [words for words in split if words[0] in PROGRAMS]
    if block.language == "bash" and known != split:
        raise ValueError(f"No command of {PROGRAMS}: {[words for words in split if words not in known]}")
    return known


def _words(line: str, language: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        if language == "bash":
            raise
        return []  # a line of prose or of a tree


def spans(page: Path) -> list[list[str]]:
    """Return the commands that stand in the text of a page, outside of blocks."""
    text = BLOCK.sub("", page.read_text())
    return [
        words for span in SPAN.findall(text) for words in [_words(part, "") for part in span.split(" && ")]
    ]


def of_package(words: list[str]) -> list[str] | None:
    """Return the words after `spatial-reward`, also where a launcher starts it; None if it is not started."""
    if words[0] == "spatial-reward":
        return words[1:]
    if "spatial_reward.cli" in words:
        return words[words.index("spatial_reward.cli") + 1 :]
    if words[0] == "sbatch" and "training/slurm/train_vlm.sbatch" in words:
        return ["train", "model=vlm", *words[words.index("training/slurm/train_vlm.sbatch") + 2 :]]
    return None
