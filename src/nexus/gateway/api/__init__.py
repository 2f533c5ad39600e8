"""The control plane: everything that clients ask of the gateway itself."""
