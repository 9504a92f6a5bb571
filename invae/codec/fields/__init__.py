"""One array under one bound to bytes and back, and groups of them."""
