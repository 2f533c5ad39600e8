"""The service's folder on the path, for the tests of its parts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
