"""From records to a decision: what methods cost over a period, what is best where, what to choose and what flips it.

`assumptions` (what only the team knows) and `candidates` (what was measured) meet in `rule`; `sensitivity` varies the
assumptions, `verdict` puts it all together. `lines` and `pareto` are the arithmetic. Nothing is measured here.
"""
