"""Fields of the documents' metadata: what a name means, and the columns in which a shard of many documents keeps them."""
