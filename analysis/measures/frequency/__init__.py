"""Frequency: how often a corpus must say a thing until a model knows it, and what is left when how common it is is taken out."""
