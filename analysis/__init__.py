"""analysis: what a corpus says beside what a model says (task-gram models, distributional memorization; arXiv 2407.14985).

Stages are files in, file out: Parquet tables (``schemas.py``) with a provenance file beside each (``tables.py``). Rooms, from the
command down: ``cli`` and ``study`` (which stages, in which order), ``report``, ``causes`` and ``measures`` (both sides beside each
other), ``tasks``, ``pairs`` (the corpus's side), ``models`` (the language models' side), ``lab`` (a world of known truth),
``stats``. Every stage is a function of its own module and a command of ``python -m analysis``; ``python -m analysis run
CONFIG.toml`` runs them all.
"""
