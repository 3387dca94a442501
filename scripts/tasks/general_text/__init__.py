"""How the rows of `general-text` were made, with the banks they are made from."""
