"""``python -m suffixindex`` is the command line."""

from suffixindex.cli import main

main(prog_name="suffixindex")
