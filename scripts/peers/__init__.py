"""The same model, items and prompts through adaptbench and through what one would otherwise take (`__main__`)."""
