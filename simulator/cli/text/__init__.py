"""Answers as text, one file an answer; a command imports its own when it prints."""
