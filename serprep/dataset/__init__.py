"""A data set over time: its versions, their tags, what differs between them, and what nobody needs."""
