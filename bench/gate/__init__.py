"""The gate: whether a candidate run may take the place of a baseline run.

```
policy.py     what is asked: checks, margins, tiers             noise.py      how far repeats of one run lie apart
expand.py     the policy's checks over what the baseline holds   baseline.py   a run, accepted: a folder to commit
measure.py    two runs to numbers                                power.py      what a baseline could show of a drop
plan.py       whether a policy could find what it asks for       draft.py      a policy that a baseline has power for
tails.py      differences under both questions                   outputs/      JSON, JUnit, Markdown, terminal
costs.py      counters, and what the hardware took part in       counters.py   counters item by item
rules.py      statuses of what is tested                         cost_rules.py of what goes by its ratio
verdict.py    Holm, exit code                                    flips.py      items whose score changed
reading.py    runs as the gate reads them                        run.py        all of it, in order
```
Differences are candidate less baseline. Reads records and predictions; loads no model, and never torch.

May import `report`, `analysis`, `store`, `config`, `metrics`, `tasks`, `methods` and `core`.
"""
