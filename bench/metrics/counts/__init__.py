"""What corpus metrics are made of: counts for each item whose sums give the score. Imports no `evaluate`, no torch."""
