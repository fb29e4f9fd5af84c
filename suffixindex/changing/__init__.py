"""An index that changes: documents appended and removed, indexes merged. Readers of the old state go on."""
