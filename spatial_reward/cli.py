"""The command line: `spatial-reward <command> key=value ...`; arguments in, one library call, files out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Metric, multi-frame spatial perception as a safe reward.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Words = Annotated[list[str] | None, typer.Argument(metavar="key=value ...", help="What to change.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Show the configuration and stop.")]
ConfigDir = Annotated[Path | None, typer.Option(help="Folder searched for YAML before the built-in one.")]
ConfigName = Annotated[str | None, typer.Option(help="YAML file to use instead of the command's own.")]


@app.command()
def demo(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Run the main job: an environment, a goal, a model; write recording, report and summary."""
    config = _config(config_name or "demo", words, config_dir, print_config)
    from spatial_reward.demo import run_demo

    folder = run_demo(config)
    typer.echo(folder / "summary.json")


@app.command()
def generate(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Make a set of questions with exact truths from a source of scenes; run again to resume."""
    config = _config(config_name or "generate", words, config_dir, print_config)
    from spatial_reward.data.generate import generate as generate_questions

    folder = generate_questions(config)
    typer.echo(folder / "summary.json")


@app.command()
def train(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Train a model (model=spatialnet, or model=vlm to fine-tune one); run again to resume."""
    from spatial_reward.training.command import chosen, run

    model, others = chosen(words or [])
    config = _config(config_name or f"train_{model}", others, config_dir, print_config)
    typer.echo(run(config.get("model", model), config) / "summary.json")


@app.command()
def view(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Show a recording, questions, annotated episodes, a benchmark's answers or a training run: view PATH."""
    config = _config(config_name or "view", _first("path", words), config_dir, print_config)
    from spatial_reward.view import run_view

    typer.echo(run_view(config))


@app.command()
def annotate(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Write rewards for recorded episodes: annotate DATASET goal=...; run again to resume."""
    from spatial_reward.annotate.command import named, run_annotate

    config = _config(config_name or "annotate", named(words or []), config_dir, print_config)
    typer.echo(run_annotate(config) / "summary.json")


@app.command()
def calibrate(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Fit the embedded model's standard deviations to an environment; write a model that knows them."""
    config = _config(config_name or "calibrate", words, config_dir, print_config)
    from spatial_reward.calibrate import run_calibrate

    typer.echo(run_calibrate(config) / "summary.json")


@app.command()
def retrain(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Make a model better in your own scene (model=vlm: by LoRA), with proof; run again to resume."""
    from spatial_reward.retrain.command import MODELS
    from spatial_reward.training.command import chosen, run

    model, others = chosen(words or [], MODELS)
    name = {"spatialnet": "retrain"}.get(model, f"retrain_{model}")
    config = _config(config_name or name, others, config_dir, print_config)
    typer.echo(run(config.get("model", model), config, MODELS) / "summary.json")


@app.command()
def benchmark(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Measure a model: suite=multispa, reward, rl, public or speed; run again to resume."""
    from spatial_reward.benchmark.command import SUITES, chosen, run

    suite, others = chosen(words or [])
    config = _config(config_name or SUITES[suite].config, others, config_dir, print_config)
    typer.echo(run(suite, config) / "summary.json")


@app.command()
def audit(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Try to fool a reward; exit code 1 if a gate is not passed."""
    config = _config(config_name or "audit", words, config_dir, print_config)
    from spatial_reward.benchmark.audit import run

    result = run(config)
    typer.echo(result.folder / "summary.json")
    raise typer.Exit(0 if result.passed else 1)


@app.command()
def perceive(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Measure depth, point cloud and boxes of a clip; of a simulated one with its error."""
    config = _config(config_name or "perceive", words, config_dir, print_config)
    from spatial_reward.benchmark.perceive import run_perceive

    typer.echo(run_perceive(config) / "summary.json")


@app.command()
def serve(
    words: Words = None,
    print_config: PrintConfig = False,
    config_dir: ConfigDir = None,
    config_name: ConfigName = None,
) -> None:
    """Serve a model over HTTP and WebSockets, on this computer unless told otherwise."""
    config = _config(config_name or "serve", words, config_dir, print_config)
    from spatial_reward.server.command import run_serve

    run_serve(config)


@app.command()
def doctor() -> None:
    """Show what is installed, what renders, what is missing and the fix."""
    from rich.console import Console

    from spatial_reward.doctor import examine

    console, broken = Console(), False
    for check in examine():
        mark = "[green]ok[/]" if check.fine else ("[red]missing[/]" if check.required else "[yellow]-[/]")
        remedy = "" if check.fine else f"  ->  {check.remedy}"
        console.print(f"{mark:>16} {check.name}: {check.found}", end="", highlight=False, soft_wrap=True)
        console.print(remedy, markup=False, highlight=False, soft_wrap=True)
        broken |= check.required and not check.fine
    raise typer.Exit(2 if broken else 0)


def _first(key: str, words: list[str] | None) -> list[str] | None:
    """Read the first word, where it is no `key=value`, as the value of a key."""
    first, *others = words or [""]
    return [f"{key}={first}", *others] if first and "=" not in first else words


def _config(name: str, words: list[str] | None, folder: Path | None, show: bool) -> dict[str, Any]:
    from spatial_reward.config import compose

    config = compose(name, words or [], folder)
    if show:
        typer.echo(json.dumps(config, indent=2))
        raise typer.Exit
    return config


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End with one line and exit code 2 where the user can mend it; defects keep their traceback."""
    try:
        yield
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        typer.secho(f"spatial-reward: {error}", err=True, fg="red")
        sys.exit(2)


def main() -> None:
    """Run the command line; `module:function` may be of the working folder, after what is installed."""
    sys.path.append(str(Path.cwd()))
    with _one_line_errors():
        app()


if __name__ == "__main__":
    main()
