"""What a reader is shown of the data themselves: pairs, answers, and where these stand in the corpus."""
