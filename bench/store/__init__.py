"""The run folder: records and predictions on disk. May import `core` and `tasks`."""
