"""How the data of the bundled tasks was made: a package for each task, `python -m scripts.tasks.NAME.generate`."""
