"""The fast upstream before which every subject is measured; it also serves the Nexus service contract."""
