"""Statistics of comparison: what a difference between two methods is worth.

| question | answer |
|---|---|
| are these checkpoints better, would training again be better | `two_questions`; its closed forms in `limits` |
| how sure is one score by resampling | `intervals`: Wilson for shares, bootstrap for means and corpus metrics |
| do two methods differ on the same items | `paired`: McNemar and Newcombe, paired bootstrap |
| and when training has seeds | `seeds`: seeds and items both vary |
| which of many differ | `family`: Holm, groups that are not significantly different |
| are two as good as equal | `equivalence`: two one-sided tests |
| what could have been seen | `power`: smallest detectable difference, items needed |
| is one worse, or worse by more than a margin | `onesided`: the same three questions of every kind; `randomisation` |
| would a drop be found, would no change pass | `drops`: chances of the gate's rules |

Nothing here reads records or knows a metric: numbers in, frozen dataclasses out. A difference is always a less b.
Resampling is seeded, and neither the order of the items nor which of two methods comes first changes a draw.
"""
