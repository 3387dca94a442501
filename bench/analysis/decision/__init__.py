"""From records to a decision: what methods cost over a period, what is best where, what to choose and what flips it.

`bench.config.assumptions` (what only the team knows) and `candidates` (what was measured) meet in `rule`; `sensitivity`
varies the assumptions, `verdict` puts it all together, `across` over several models. `lines` and `pareto` are the
arithmetic, `headline` and the modules of words say it. Nothing is measured here.
"""
