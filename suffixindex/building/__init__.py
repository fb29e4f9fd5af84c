"""A build, step by step: what is to be done, encoding, shards, and the state that lets it go on after a kill."""
