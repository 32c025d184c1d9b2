"""A recipe → a store: which utterances, their features through the cache, and the build."""
