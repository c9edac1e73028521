"""An HTTP server that enlarges pictures."""
