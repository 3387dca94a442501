"""How the rows of `grammar-pairs` were made, with the banks they are made from."""
