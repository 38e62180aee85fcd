"""What-if studies: where MTP helps, where it hurts, how deep to draft, and what moves the answer."""
