"""The command line: each command declares options, makes one library call, prints one result."""
