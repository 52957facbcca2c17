"""Every command in README and documentation is one: its keys exist, and its programs, modules and extras."""

import importlib.util
import re
import tomllib

import pytest
from docs_pages import GUIDES, RECORDS, ROOT, blocks, commands, name_of, of_package, spans
from docs_preparations import surroundings
from typer.testing import CliRunner

from spatial_reward.cli import app

OMITTED = "..."  # what a reader fills in
METAVARS = {"PATH", "FOLDER", "DATASET", "COMMAND", "ENV", "TEST", "RUN", "PAGE", "NAME"}


def composed(words):
    """Compose the configuration of a command line of the package as the command does; return its result."""
    filled = [word for word in words if not word.endswith(OMITTED)]
    show = [] if words[0] == "doctor" else ["--print-config"]
    return CliRunner().invoke(app, [*filled, *show])


def found(page):
    return [words for block in blocks(page) for words in commands(block)] + spans(page)


@pytest.mark.parametrize("page", [*GUIDES, *RECORDS], ids=name_of)
def test_every_command_composes(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    surroundings(tmp_path)
    for words in found(page):
        ours = of_package(words)
        if ours and ours[0] not in METAVARS and not ours[0].startswith("<"):
            done = composed(ours)
            assert done.exit_code == 0, f"{' '.join(words)}: {done.output or done.exception}"


@pytest.mark.parametrize("page", [*GUIDES, *RECORDS], ids=name_of)
def test_modules_programs_targets_and_extras_exist(page):
    makefile, project = (ROOT / "Makefile").read_text(), tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    for words in found(page):
        if words[0].startswith("python") and words[1] == "-m":
            assert importlib.util.find_spec(words[2]), words
        elif words[0].startswith("python"):
            assert (ROOT / words[1]).is_file(), words
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
        elif words[0] == "pip":
            wanted = re.findall(r"\[([\w,]+)\]", " ".join(words))
            assert all(extra in extras for group in wanted for extra in group.split(",")), words


def test_commands_are_found_where_they_are():
    by_page = {name_of(page): [of_package(words) for words in found(page)] for page in GUIDES}
    assert ["demo", "env=FetchPush-v4"] in by_page["README.md"]
    assert ["view", "fetch", "count=12"] in by_page["README.md"]
    goal = "goal=near(cube, pad, within=3cm)"
    assert ["annotate", "DATASET", goal] in by_page["README.md"]  # in its text
    launched = next(words for words in by_page["training/README.md"] if words and "method=lora" in words)
    assert launched[:2] == ["train", "model=vlm"]


@pytest.mark.parametrize("word", ["sise=3", "size.x=3", "model=oracel"])
def test_a_wrong_key_or_choice_fails(word):
    assert composed(["demo", word]).exit_code
