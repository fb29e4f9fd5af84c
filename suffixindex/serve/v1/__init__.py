"""The own API, ``/v1``: every question of :class:`suffixindex.SuffixIndex` over HTTP, typed, alone and in bulk."""
