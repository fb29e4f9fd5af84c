"""Compiled code of the suffix sort."""
