"""From the services' manifests and one site file to a Compose file or a cluster's objects: `nexus deploy`."""
