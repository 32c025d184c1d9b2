"""A signal → arrays: log-mel frames, segments, functionals."""
