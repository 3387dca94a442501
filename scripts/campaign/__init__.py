"""Faults at random moments of every command that writes, and whether anything came of them.

    python -m scripts.campaign --seed 0 --minutes 60 --out FOLDER

A fault is drawn from the seed and its number alone: which command, what happens to it, and when. After it these hold,
or are written down as violations: the exit code is one of the command's own, nothing is a traceback, a message names
the file, the processes are gone within two seconds, TMPDIR is empty, and what is there is whole. Then the cause is
taken away and the same command runs again: it ends with what an undisturbed one gives.

Without a language model, so that a fault takes seconds. As root on Linux, disks are small tmpfs, and permissions are
tried as another user, whom they hold up. Elsewhere a full disk is a limit on the size of files, and permissions are
tried as oneself.
"""
