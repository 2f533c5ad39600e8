"""Call + Snapshot → Plan: pure decisions about who is asked, and clear words when nobody can be."""
