"""How the rows of `handbook-qa` were made, with the banks they are made from."""
