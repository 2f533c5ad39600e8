"""Leads calls by the rules of `routes`: tells the rules what a call is, and makes of it what they decide."""
