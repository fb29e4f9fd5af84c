"""The command line: a study's TOML file first; talk on standard error, the path of what was made on standard output."""

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import suffixindex as si
from analysis.errors import AnalysisError

STAGES = {
    "tasks": "Read the tasks' examples and fill their prompts.",
    "mine": "Mine n-gram pairs from the examples.",
    "count": "Count each pair in the corpus.",
    "corpus-models": "Score the pairs by models of the corpus: task-gram, ∞-gram, unigram …",
    "contamination": "Find examples that share long n-grams with the corpus.",
    "score": "Score the pairs by the language models, at every checkpoint.",
    "generate": "Let the language models write answers, and score these.",
    "show": "A few actual pairs and answers, to be read.",
    "correlate": "Distributional memorization: corpus against model.",
    "performance": "Task scores, of all examples and by pair counts.",
    "novelty": "What the models write that the corpus does not hold.",
    "learning": "Models against n-gram distributions, along their training.",
    "dose": "What the models say of planted facts, by their frequency.",
    "counterfactual": "What models say of facts that they were told, less what others say.",
    "influence": "Gradients of documents against those of examples.",
    "prompts": "Rewrite prompts to raise or lower the pair counts.",
}


RENAMED = {"models": "corpus-models"}
"""Commands of another name before; the old one goes on working, with a note. Models are language models everywhere else."""


class Group(click.Group):
    """Prints a library error as one sentence, exit code 1; click itself exits with 2 for wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (AnalysisError, si.SuffixIndexError) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            raise click.ClickException("interrupted: finished stages are kept, the same command goes on") from None

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in RENAMED:
            click.echo(f"deprecated: {name!r} is called {RENAMED[name]!r} now", err=True)
        return super().get_command(ctx, RENAMED.get(name, name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of a study


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-q", "--quiet", is_flag=True, help="Say only what goes wrong.")
@click.option("--debug", is_flag=True, help="Say more, and where an error came from.")
def main(quiet: bool, debug: bool) -> None:
    """Put what a corpus says beside what language models say (arXiv 2407.14985).

    Every stage reads tables and writes one, with its provenance; run again, a command passes over what is up to date.

    \b
    Example:
      python -m analysis lab lab-run --seed 0          a small world, its models, the study, the report
      python -m analysis run study.toml                a study of your own
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger(__package__).setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)


config_argument = click.argument("config", type=click.Path(dir_okay=False, path_type=Path))


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--preset", default="default", show_default=True, help="How large: a preset's name, or a TOML file of your own.")
@click.option("--seed", default=0, show_default=True, help="Of the world, the models and the study.")
@click.option("--world-only", is_flag=True, help="Make the corpus, the tasks and the models, and write the study's TOML file.")
def lab(folder: Path, preset: str, seed: int, world_only: bool) -> None:
    """Make a small world with known truth in FOLDER, train models on it, run the whole study.

    \b
    Example:
      python -m analysis lab lab-run --seed 0
    """
    from analysis.study.lab_study import make_lab

    config = make_lab(folder, preset=preset, seed=seed)
    if world_only:
        click.echo(config)
        return
    _run(config)


@main.command()
@config_argument
@click.option("--dry-run", is_flag=True, help="Say what every stage would take: texts, tokens, time, memory, disk.")
def run(config: Path, dry_run: bool) -> None:
    """Run all stages of CONFIG, and write the report.

    \b
    Example:
      python -m analysis run analysis/configs/paper.toml --dry-run
      python -m analysis run analysis/configs/paper.toml
    """
    if dry_run:
        _forecast(config)
    else:
        _run(config)


@main.command("index")
@config_argument
def index_command(config: Path) -> None:
    """Build the index of CONFIG's corpus, unless it is there.

    \b
    Example:
      python -m analysis index study.toml
    """
    from analysis.config import load_config
    from analysis.study.resources import build_index

    click.echo(build_index(load_config(config)))


def _stage_command(name: str, text: str) -> Callable[..., None]:
    def command(config: Path) -> None:
        from analysis.config import check_inputs, load_config
        from analysis.study.pipeline import attempt_stages, chosen, raise_failed
        from analysis.study.plan import plan
        from analysis.study.resources import Resources

        loaded = load_config(config)
        check_inputs(loaded)
        with Resources(loaded) as resources:
            stages = chosen(plan(loaded, resources), name)
            failures = attempt_stages(stages)
        failed = {failure.stage for failure in failures}
        for stage in stages:
            if stage.name not in failed:
                click.echo(stage.output)
        raise_failed(failures)

    command.__doc__ = f"{text}\n\nReads what the stages before it wrote.\n\n\b\nExample:\n  python -m analysis {name} study.toml"
    return command


for _name, _text in STAGES.items():
    main.command(_name)(config_argument(_stage_command(_name, _text)))


@main.command()
@config_argument
def report(config: Path) -> None:
    """Write the report of the stages that are finished.

    \b
    Example:
      python -m analysis report study.toml
    """
    from analysis.config import load_config
    from analysis.study.plan import plan
    from analysis.study.reporting import report_study
    from analysis.study.resources import Resources

    loaded = load_config(config)
    with Resources(loaded) as resources:
        click.echo(report_study(loaded, plan(loaded, resources), config.read_text(encoding="utf-8")))


@main.command()
def settings() -> None:
    """List every setting of a study's TOML file, its default and its meaning.

    \b
    Example:
      python -m analysis settings
    """
    from analysis.config import Config
    from analysis.settings import described

    for name, default, doc in described(Config):
        click.echo(f"\n{name}  {doc}" if name.startswith("[") else f"  {name} = {default}\n      {doc}")


def _forecast(config: Path) -> None:
    from analysis.config import check_inputs, load_config
    from analysis.study.forecast import forecast, told
    from analysis.study.plan import plan
    from analysis.study.resources import Resources

    loaded = load_config(config)
    check_inputs(loaded)
    with Resources(loaded) as resources:
        for line in told(forecast(loaded, plan(loaded, resources))):
            click.echo(line)


def _run(config: Path) -> None:
    from analysis.config import check_inputs, load_config
    from analysis.study.pipeline import attempt_stages, raise_failed
    from analysis.study.plan import plan
    from analysis.study.reporting import report_study
    from analysis.study.resources import Resources, build_index

    loaded = load_config(config)
    check_inputs(loaded)
    build_index(loaded)
    with Resources(loaded) as resources:
        stages = plan(loaded, resources)
        failures = attempt_stages(stages)
        gc.freeze()  # a collector that looks through all that torch has loaded takes a fifth of the time to draw
        try:
            click.echo(report_study(loaded, stages, config.read_text(encoding="utf-8"), failures))
        except AnalysisError:  # of a run that made nothing to show
            raise_failed(failures)
            raise
    raise_failed(failures)
