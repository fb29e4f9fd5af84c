"""``python -m analysis.lab``: train models of Pythia's shapes on the documents of your own index."""

import logging
from pathlib import Path
from typing import Any

import click

import suffixindex as si
from analysis.errors import AnalysisError
from analysis.lab.recipe import PYTHIA, Recipe


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("index", type=click.Path(path_type=Path, exists=True))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--size", "names", multiple=True, type=click.Choice(list(PYTHIA)), help="Repeat for a ladder [14m, 31m, 70m].")
@click.option("--minutes", default=10.0, show_default=True, help="To train each size.")
@click.option("--tokens", type=click.IntRange(1), help="That each size reads, the same for all, in place of minutes.")
@click.option("--sequence", default=512, show_default=True, help="Tokens of a sequence; Pythia has 2048.")
@click.option("--batch", default=32, show_default=True, help="Sequences of a step; Pythia has 1024.")
@click.option("--checkpoint", "checkpoints", multiple=True, type=int, help="Steps to save; repeat [0, 1, 4, 16, …, 16384].")
@click.option("--threads", default=0, show_default=True, type=click.IntRange(0), help="Of a processor; 0: all.")
@click.option("--seed", default=0, show_default=True, help="Of the initial weights.")
def main(
    index: Path,
    output: Path,
    names: tuple[str, ...],
    minutes: float,
    tokens: int | None,
    sequence: int,
    batch: int,
    checkpoints: tuple[int, ...],
    threads: int,
    seed: int,
) -> None:
    """Train models on the documents of INDEX, in its order, into OUTPUT/SIZE; a second call goes on.

    INDEX is built with a Hugging Face tokenizer. The larger sizes want a GPU.

    \b
    suffixindex build CORPUS… -o my-index --tokenizer EleutherAI/pythia-70m
    python -m analysis.lab my-index my-ladder --size 14m --size 31m --size 70m --minutes 8
    """
    from analysis.lab.timed import train_on_tokens, train_within

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = Recipe(sequence, batch, 1.0, tuple(sorted(checkpoints)) or (0, *(4**k for k in range(8))), weight_decay=0.1)
    sizes = [PYTHIA[name] for name in names or ("14m", "31m", "70m")]
    try:
        how: dict[str, Any] = {"sizes": sizes, "recipe": recipe, "seed": seed, "threads": threads}
        if tokens is None:
            folders = train_within(index, output, minutes=minutes, **how)
        else:
            folders = train_on_tokens(index, output, tokens=tokens, **how)
    except (AnalysisError, si.SuffixIndexError) as error:
        raise click.ClickException(str(error)) from error
    for folder in folders:
        click.echo(folder)


if __name__ == "__main__":
    main()
