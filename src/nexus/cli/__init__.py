"""The console command `nexus`."""
