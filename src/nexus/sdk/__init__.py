"""The service SDK: an author writes a `service.toml` and an engine class; the rest of the service contract is here."""
