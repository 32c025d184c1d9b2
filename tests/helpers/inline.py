"""Workers that are this process."""


class Inline:
    """Stands in for `serprep.parallel.Workers`: runs everything here, can do something first, and notes what it ran."""

    n_workers, scheduler = 1, None

    def __init__(self, before=None, order=list):
        self.before, self.order = before, order
        self.n_runs, self.functions = 0, []

    def run(self, function, items, *, once=False):
        self.n_runs += 1
        self.functions += [getattr(function, "__name__", "")] * len(items)
        if self.before and items:
            self.before(function, items)
        return ((number, function(items[number])) for number in self.order(range(len(items))))
