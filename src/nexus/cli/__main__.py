"""`python -m nexus.cli` is `nexus`."""

from nexus.cli.main import main

main()
