"""The words that every part of Nexus shares: operations, cards, errors, events, usage and wire shapes."""
