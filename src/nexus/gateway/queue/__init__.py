"""Plan → Plan, later: calls that nobody has room for wait for their turn, in a fair order and not for ever."""
