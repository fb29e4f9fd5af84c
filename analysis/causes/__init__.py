"""Experiments on causes: planted doses, influence, prompts."""
