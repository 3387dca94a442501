"""What each technique gives in time and memory, stacked on the ones before it (`__main__`)."""
