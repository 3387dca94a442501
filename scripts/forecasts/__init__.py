"""What forecasts are worth, on committed runs."""
