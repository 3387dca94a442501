"""A metric over many runs: `tracks` reads it, `changepoints` finds where it changed, `settings` says what else did.

Reads records and predictions alone; `bench.report.tables.history` and `bench.report.html.history` write it down.
"""
