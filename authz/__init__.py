"""Who may see what, and why. Pure: nothing here does I/O but reading the register's files."""
