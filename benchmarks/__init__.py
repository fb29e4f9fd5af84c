"""Measurements: against the definition, against the peers, of scaling. Each checks the answers that it times."""
