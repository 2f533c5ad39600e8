"""Who may do what, and how much: decisions alone, without clocks, files or connections of their own."""
