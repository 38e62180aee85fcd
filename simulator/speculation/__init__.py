"""Drafts: how often they are accepted, and how many rounds a request then needs."""
