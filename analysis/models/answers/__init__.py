"""Answers that no model writes: the likeliest of the choices, and what a file holds."""
