"""README and documentation are run, page by page from top to bottom: the Python of a page as one program, and
its commands with smaller numbers. A page has a folder of its own, in which lies what it takes for granted.
"""

import os
import re
import shutil
import signal
import subprocess
import sys

import docs_preparations as prepare
import pytest
from docs_pages import GUIDES, ROOT, Block, blocks, commands, name_of, of_package
from docs_sizes import NOT_RUN, SMALLER
from typer.testing import CliRunner
from vulkan import can_draw

from spatial_reward.cli import app

RAN = [
    page for page in GUIDES if any(block.language == "python" or commands(block) for block in blocks(page))
]
QUICK = {"docs/multispa.md", "docs/goals.md", "docs/concepts.md"}


def marked(page):
    return pytest.param(page, id=name_of(page), marks=() if name_of(page) in QUICK else pytest.mark.slow)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """Work in a folder from which modules can be imported; forget them afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    here = [name for name, one in sys.modules.items() if str(tmp_path) in str(getattr(one, "__file__", ""))]
    for name in here:
        del sys.modules[name]


@pytest.mark.parametrize("page", [marked(page) for page in RAN])
@pytest.mark.filterwarnings("ignore:.*(gradient_checkpointing|pin_memory|Deprecated|DISPLAY).*")
def test_page_runs(page, empty_folder):
    prepare.folder(name_of(page), empty_folder)
    names = {"__name__": "__main__"} | prepare.names(name_of(page))
    ran = 0
    for block in blocks(page):
        if block.language == "python":
            run_python(block, page, names)
            ran += 1
        for words in commands(block):
            if can_draw() or not any(word.startswith("screenshot=") for word in words):
                ran += run_command(page, block, words)
    assert ran, f"nothing of {page} is run: take it out of the pages that are"


def run_python(block: Block, page, names):
    """Run a block; lines of an error are those of the page."""
    exec(compile("\n" * block.line + block.text, str(page), "exec"), names)


def run_command(page, block: Block, words) -> bool:
    """Run a command; return whether it is one that is run here."""
    if reason(page, block, words):
        return False
    ours = of_package(words)
    if ours and ours[0] == "serve":
        serve(smaller(page, ours))
    elif ours and ours[0] == "train":  # accelerate trains once in a process
        run_program(["-m", "spatial_reward.cli", *smaller(page, ours)])
    elif ours:
        run_ours(smaller(page, ours))
    elif words[0] == "rerun":
        assert os.path.getsize(words[1]) > 0
    elif words[0] == "cp":
        shutil.copy(*words[1:])
    else:
        assert words[0] == "python", f"{words}: run it here, or say in docs_sizes.NOT_RUN why not"
        run_program(smaller(page, words[1:]))
    return True


def reason(page, block: Block, words) -> str:
    """Return why a command is not run; "" for one that is. All are composed, in test_docs_commands."""
    if block.slow:
        return "told by the page to take longer than a test may"
    line = " ".join(words)
    return next((why for start, why in NOT_RUN.items() if line.startswith(start)), "")


def smaller(page, words):
    """Replace the values of a command by those that make it small."""
    line = " ".join(words)
    changes = [
        extra for where, start, extra in SMALLER if where in ("", name_of(page)) and line.startswith(start)
    ]
    new = [word for extra in changes for word in extra]
    keys = {word.partition("=")[0] for word in new if "=" in word}
    return [word for word in words if word.partition("=")[0] not in keys or "=" not in word] + new


def run_ours(words):
    done = CliRunner().invoke(app, words)
    allowed = (0, 1) if words[0] == "audit" else (0,)  # 1: a gate is not passed, as may be in so short a run
    if done.exit_code not in allowed or (done.exit_code == 1 and not isinstance(done.exception, SystemExit)):
        raise AssertionError(f"spatial-reward {' '.join(words)}\n{done.output}") from done.exception


def run_program(words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, f"python {' '.join(words)}\n{done.stderr[-2000:]}"


def serve(words):
    """Start a server, and end it when it says that it serves."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "spatial_reward.cli", *words, "port=0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert said.startswith("serving") and process.wait(30) in (0, -signal.SIGTERM), said


def test_what_is_not_run_is_somewhere():
    lines = [" ".join(words) for page in GUIDES for block in blocks(page) for words in commands(block)]
    for start in NOT_RUN:
        assert any(line.startswith(start) for line in lines), f"No page has a command {start!r}."
    for place in re.findall(r"tests/[\w/]+\.py", " ".join(NOT_RUN.values())):
        assert (ROOT / place).is_file(), place
    ours = [" ".join(of_package(line.split()) or line.split()[1:]) for line in lines]
    for _, start, _ in SMALLER:
        assert any(line.startswith(start) for line in ours), f"No page has a command {start!r}."
