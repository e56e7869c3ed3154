"""Stand-ins for any declared agency: what a declaration says is all that they know of it.

They read declarations and nothing of the hub or of its adapters' code, so that an adapter which
misreads a declaration is answered as an agency would answer it.
"""
