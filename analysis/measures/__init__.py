"""What the study measures: counts of the corpus beside what models say."""
