"""A store to look at and to listen to, in a web browser (``docs/browse.md``).

`subject` is what is shown, `listing` its table, `plane` its map, `detail` one utterance, `sound`
its recording, `page` the files of the page, `server` who hands them out, `export` who writes them.
"""
