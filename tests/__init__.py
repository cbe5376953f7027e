"""Tests. Libraries of numbers compute with one thread in each process: several on few cores wait for each other."""

import os

# Read when numpy and its like are first imported, here and in every process that a test starts.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
