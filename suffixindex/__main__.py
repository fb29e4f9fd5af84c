"""``python -m suffixindex`` is the command line."""

from suffixindex.cli.main import main

main(prog_name="suffixindex")
