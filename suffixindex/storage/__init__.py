"""An index on disk: its format, its files, and one shard mapped for reading."""
