"""Tests. Libraries of numbers compute with one thread in each process: several on few cores mostly wait for each other.

A comparison of all families on a small table takes 11 s of processor instead of 19.
"""

import os

# Read when numpy and its like are first imported, here and in every process that a test starts.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
