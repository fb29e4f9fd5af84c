"""The machine: its memory and cores, its terminal."""
