"""Statistics of comparison: what a difference between two methods is worth.

| question | answer |
|---|---|
| are these checkpoints better, would training again be better | `two_questions`; its closed forms in `limits` |
| how sure is a share, what could a comparison have seen | `intervals`: Wilson; smallest detectable difference |
| do two methods differ on the same items | `paired`: McNemar and Newcombe, paired bootstrap |
| and when training has seeds | `seeds`: seeds and items both vary |
| which of many differ | `family`: Holm, groups that are not significantly different |
| is one worse, or worse by more than a margin | `onesided`: the same three questions of every kind; `randomisation` |
| would a drop be found, would no change pass | `drops`: chances of the gate's rules, items needed |

Nothing here reads records or knows a metric: numbers in, frozen dataclasses out. A difference is always a less b.
Resampling is seeded, and neither the order of the items nor which of two methods comes first changes a draw.
"""
