"""One module a revision; none is changed once released."""
