"""The server between those who decide on welfare and the agencies that hold the facts."""
