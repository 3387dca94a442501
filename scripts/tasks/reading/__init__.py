"""How the rows of `reading` were made, with the banks they are made from."""
