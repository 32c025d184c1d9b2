"""The table of a corpus's utterances: written and read, held against recordings, selected from."""
