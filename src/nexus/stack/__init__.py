"""`nexus up`: the gateway and the services of one machine, as child processes of one command."""
