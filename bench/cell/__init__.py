"""One cell in its own process: job, worker, probes, evaluations in addition to the test.

May import `adapt`, `retrieval`, `store` and what those may import.
"""
