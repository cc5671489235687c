"""One module per change; each names the one before it."""
