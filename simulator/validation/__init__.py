"""Can a measured curve be true? Identities, physical roofs, what the model expects, and the acceptance that pairs imply."""
