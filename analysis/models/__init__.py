"""Language models: opened, run over texts, and what they say."""
