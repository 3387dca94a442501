"""How the rows of `support-intents` were made, with the banks they are made from."""
