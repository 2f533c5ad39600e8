"""Tests that need more than a Python, or more than a moment: containers and chaos are asked for by name."""

import os

_ASKED = (("containers", "NEXUS_TEST_CONTAINERS"), ("chaos", "NEXUS_TEST_CHAOS"))
collect_ignore = [folder for folder, asked in _ASKED if not os.environ.get(asked)]
