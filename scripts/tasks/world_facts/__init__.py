"""How the rows of `world-facts` were made, with the banks they are made from."""
