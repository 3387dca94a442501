"""What it takes to serve a measured method: weights, prompt, index, a card, and a script that needs none of ours.

May import `runs`, `analysis`, `report` and what those may import.
"""
