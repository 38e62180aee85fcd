"""Files of the user: read within limits, written whole or not at all, and never lost."""
