"""A study from its configuration to its report: which stages, in which order, of what they share."""
