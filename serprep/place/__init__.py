"""A folder or file here or at a URL, seen the same way."""
