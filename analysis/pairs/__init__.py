"""Pairs of n-grams, one of the input and one of the target: mined from tasks, counted in the corpus."""
