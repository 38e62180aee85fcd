"""Importers of result files, one file a tool: each says with ``recognises(head)`` whether it knows a file, and with
``read(content)`` what its records hold."""
