"""How the rows of `invoice-fields` were made, with the banks they are made from."""
