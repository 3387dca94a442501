"""Reports of runs, from their records alone: nothing is measured or loaded again.

`analysis.summary` aggregates records to rows, `tables` says them as tables of text, and each way of writing a report
has a module: `brief` and `terminal`, `markdown`, `data`. Means are over seeds; failed and missing cells stay visible
with their denominators; there are no ranks, and what a spread cannot tell apart from the best is marked as the best.

May import `analysis`, `store`, `config`, `metrics`, `tasks`, `methods` and `core`.
"""
