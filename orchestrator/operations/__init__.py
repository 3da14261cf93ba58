"""What a person can ask for: start a run, cancel it, look at it. The API and the commands call these."""
