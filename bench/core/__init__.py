"""What everything talks about: items, tasks, methods, records, errors, hashing.

Imports nothing of ours.
"""
