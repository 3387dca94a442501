"""One self-contained HTML file that people decide from: no network, readable without JavaScript, good on paper.

`bench.report.cases` works out what is to be said of each task with each model, `sections/` says it (a module for each
section, in the order of the page) as blocks of text, tables and charts, and `page` writes them through one template.
"""
