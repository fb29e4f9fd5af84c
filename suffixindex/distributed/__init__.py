"""Past one machine: builds and questions on a cluster of dask.distributed that the user already has.

The corpus and the index lie on a filesystem that all workers see under the same paths; workers write their files there and
send the driver little more than their sizes. Each worker offers Dask a resource, ``suffixindex_memory``, of which a shard
takes what its sort will need, so no worker takes more shards at once than its memory allows.
"""
