"""Which mixer each layer has, and the shape of each: one file a kind."""
