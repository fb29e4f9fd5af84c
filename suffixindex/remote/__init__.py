"""Files at URLs: named, listed and read by fsspec's filesystems, which are imported when a corpus names a URL and not before."""
