"""Tasks: TriviaQA, MMLU, GSM8K, WMT09 and any other, from files or the Hugging Face hub, as one table of examples.

=====================  ====================================================================================
``triviaqa``           open questions; the target is the answer, with aliases
``mmlu``               57 subjects; the target is the right choice's text; also ``mmlu-knowledge`` and
                       ``mmlu-reasoning``, the paper's 34 and 22 subjects
``gsm8k``              school arithmetic; the target is the worked solution
``wmt09``              English into six languages, by sentences
``jsonl:NAME``         any records, of ``input`` or ``question``, ``target`` or ``answer``, ``aliases``, ``choices`` or
                       fields that are named (``analysis.tasks.plain``); the task is called NAME
=====================  ====================================================================================
"""

from analysis.tasks.formats import mmlu_subjects
from analysis.tasks.load import TASKS, Loaded, TaskKind, find_kind, load_task, read_task
from analysis.tasks.prompts import find_template, templates

__all__ = ["TASKS", "Loaded", "TaskKind", "find_kind", "find_template", "load_task", "mmlu_subjects", "read_task", "templates"]
