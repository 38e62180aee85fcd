"""Feed-forwards: the part of a layer that works on each token alone, one file a kind."""
