"""What every long-running process of Nexus needs of the machine it runs on."""
