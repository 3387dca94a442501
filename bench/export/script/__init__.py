"""The files that exports copy as they are: one of them as predict.py, with what it imports. None imports ours."""
