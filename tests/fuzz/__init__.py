"""Damaged, hostile and random input, until something ends otherwise than in an answer or in one of our errors.

``python -m tests.fuzz --seconds 600`` tries all targets in child processes, because a crash kills the process; a find is
printed with the command that repeats it. An input is a function of its target and its seed alone, so no corpus is kept.
"""
