"""The commands that work at a destination: what is deployed, on other machines."""
