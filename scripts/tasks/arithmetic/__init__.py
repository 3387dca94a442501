"""How the rows of `arithmetic` were made, with the banks they are made from."""
