"""How the rows of `next-purchase` were made, with the banks they are made from."""
