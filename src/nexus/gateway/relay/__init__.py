"""Reply → bytes: the answer goes to the client as it comes, and a cut one is never made to look whole."""
