"""The site builds without a warning; what follows from code is up to date; pictures have their commands."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from docs_pages import GUIDES, ROOT, of_package, spans
from PIL import Image
from test_docs_commands import composed
from typer.testing import CliRunner

from spatial_reward.cli import app
from spatial_reward.rewards import goal_text, parse_goal
from spatial_reward.viz.screenshots import COMMANDS

DOCS = ROOT / "docs"
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    for page in DOCS.rglob("*.md"):
        place = page.relative_to(DOCS).with_suffix("")
        assert (site / ("" if place.name == "index" else place) / "index.html").is_file(), page
    assert "SpatialReward" in (site / "api" / "index.html").read_text()
    limits = (site / "limits" / "index.html").read_text()
    assert '"../repository/benchmark/results/demo/"' in limits  # results are in the site, too
    assert (site / "repository" / "benchmark" / "results" / "demo" / "index.html").is_file()
    assert not list(site.rglob("concepts.py"))


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_pages_that_follow_from_the_code_are_up_to_date():
    for path, text in load("tables").pages().items():
        assert path.read_text() == text, f"{path} is old: python docs/scripts/tables.py"


def test_every_command_is_on_the_page_of_commands():
    text = (DOCS / "cli.md").read_text()
    for path in (ROOT / "spatial_reward" / "conf").rglob("*.yaml"):
        assert path.read_text().strip() in text, path.name


def test_the_words_about_subtasks_are_those_of_the_kinds():
    tables = load("tables")
    assert set(tables.PUBLISHED) == set(tables.KINDS)
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", (DOCS / "multispa.md").read_text(), re.MULTILINE)
    assert rows == [(name, kind) for name, kind, _ in tables.SUBTASKS] and len(rows) == 26


def test_the_table_of_goals_holds_all_with_their_tolerances():
    rows = re.findall(
        r"^\| `(\w+)(\([^`]+)` \|.*\| ([^|]+) \|$", (DOCS / "goals.md").read_text(), re.MULTILINE
    )
    assert {word for word, _, _ in rows} == set(goal_text.KNOWN)
    for word, rest, within in rows:
        if word in goal_text.COMPOSITE:
            continue
        goal = parse_goal(f"{word}{rest}")
        stated = within.replace(" ", "")
        assert f"within={stated})" in str(goal) or (stated == "mustbegiven" and "within" in rest)


def test_every_picture_has_the_command_that_made_it():
    shown = {
        (page.parent / link).resolve().relative_to(ROOT)
        for page in GUIDES
        for link in PICTURE.findall(page.read_text())
    }
    listed = load("pictures").rows((DOCS / "pictures.md").read_text())
    assert {str(path) for path in shown} <= {picture for picture, *_ in listed}
    for picture, command, _ in listed:
        assert (ROOT / picture).is_file()
        name = re.fullmatch(r"docs/viewer_(\w+)\.png", picture)
        assert not name or command == f"python -m spatial_reward.viz.screenshots docs {name[1]}"


def test_no_picture_is_older_than_the_code_it_shows():
    pictures = load("pictures")
    drawn = json.loads((ROOT / pictures.DRAWN).read_text())
    listed = pictures.rows((DOCS / "pictures.md").read_text())
    assert drawn.keys() == {picture for picture, *_ in listed}
    stale = [picture for picture, _, code in listed if drawn[picture] != pictures.digest(code)]
    assert not stale, f"draw these again, and look at them: python docs/scripts/pictures.py {' '.join(stale)}"


def test_a_change_of_code_makes_a_picture_stale(tmp_path, monkeypatch):
    pictures = load("pictures")
    monkeypatch.setattr(pictures, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "code.py").write_text("1")
    pictures.note({"a.png": "*.py"})
    pictures.note({"b.png": "code.py"})
    drawn = json.loads((tmp_path / pictures.DRAWN).read_text())
    assert drawn == dict.fromkeys(("a.png", "b.png"), pictures.digest("*.py"))
    (tmp_path / "code.py").write_text("2")
    assert pictures.digest("*.py") != drawn["a.png"]
    with pytest.raises(FileNotFoundError, match="No file of the checkout is called"):
        pictures.digest("gone.py")


def test_the_commands_that_draw_pictures_compose(monkeypatch):
    monkeypatch.chdir(ROOT)
    drawing = [words for commands in COMMANDS.values() for words in commands if "spatial_reward.cli" in words]
    ours = [of_package(list(words)) for words in drawing] + list(
        filter(None, map(of_package, spans(DOCS / "pictures.md")))
    )
    assert len(ours) > len(COMMANDS)
    for words in ours:
        assert composed([word.format(picture="a.png") for word in words]).exit_code == 0, words


@pytest.mark.slow
def test_the_figure_of_concepts_is_drawn_by_its_script(tmp_path):
    path = load("concepts").write_concepts(tmp_path / "concepts.png")
    assert path.stat().st_size == pytest.approx((DOCS / "concepts.png").stat().st_size, rel=0.1)


@pytest.mark.slow
def test_the_picture_of_the_readme_is_drawn_by_its_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [words] = [
        words
        for words in spans(ROOT / "README.md")
        if "env=SpatialReward/Push-v0" in words and "seed=5" in words
    ]
    assert CliRunner().invoke(app, [*of_package(words), "out=drawn"]).exit_code == 0
    drawn, shown = (
        np.asarray(Image.open(path).convert("L"), float)
        for path in (tmp_path / "drawn" / "report.png", DOCS / "report.png")
    )
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 4  # grey levels: drivers of OpenGL differ in edges


@pytest.mark.slow
def test_one_command_draws_the_pictures_again(tmp_path, monkeypatch):
    pictures, copy = load("pictures"), tmp_path / "checkout"
    (copy / "docs").mkdir(parents=True)
    for name in ("scripts", "pictures.md"):
        (copy / "docs" / name).symlink_to(DOCS / name)
    (copy / "spatial_reward").symlink_to(ROOT / "spatial_reward")
    monkeypatch.setattr(pictures, "ROOT", copy)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pictures.main(["report", "concepts"])
    drawn = {path.name for path in copy.rglob("*.png")}
    assert drawn == {"report.png", "concepts.png"}
    assert not (copy / "drawn").exists()
