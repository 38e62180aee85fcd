"""The page with answers computed live: an HTTP server on loopback, and the same answers as a JSON API."""
