"""analysis: what a corpus says beside what a model says (task-gram models, distributional memorization; arXiv 2407.14985).

Stages are files in, file out: Parquet tables (``schemas.py``) with a provenance file beside each (``stages.py``). Every stage
is a function of its own module and a command of ``python -m analysis``; ``python -m analysis run CONFIG.toml`` runs them all.
"""
