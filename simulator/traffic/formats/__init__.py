"""Traffic files as tools and publishers write them, one file a format; recognised by content, never by name."""
