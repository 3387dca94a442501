"""How the rows of `support-replies` were made, with the banks they are made from."""
