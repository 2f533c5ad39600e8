"""`nexus service new`: a small whole service to start from, made of the template files beside this one."""
