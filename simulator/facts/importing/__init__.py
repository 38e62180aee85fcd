"""A Hugging Face ``config.json`` -> a model profile: every number with the key that it comes from, and a list of what
was not understood."""
