"""Tests that need more than a Python: those of containers and of clusters have scripts that bring what they need."""

import os

collect_ignore = [folder for folder, asked in (("containers", "NEXUS_TEST_CONTAINERS"),) if not os.environ.get(asked)]
