"""A model as a judge of texts: whether it agrees with people, and only then what it says of a run's answers.

May import runs and what they import, and analysis.
"""
