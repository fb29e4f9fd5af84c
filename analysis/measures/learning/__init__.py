"""What models learn in which order: statistics of short contexts before those of longer ones."""
