"""Shared by the tests of ``analysis``: one thread for torch, whose second thread costs tiny models more than it gives."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported, by this process and by those it starts
