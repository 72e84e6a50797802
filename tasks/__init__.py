"""The steps, one file each, and what they share."""

import os

# Read when scikit-learn is imported: a thread of OpenMP that waits shall sleep. As it comes it spins, and takes the cores
# from those that it waits for; with other work on the machine a training then takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
