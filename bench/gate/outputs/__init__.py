"""A verdict written down: for programs (`data`, `junit`), for people (`markdown`, `terminal`)."""
