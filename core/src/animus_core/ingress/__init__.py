"""Ingress: the ways in which work comes, each of which builds the same `SubjectDispatch`."""
