"""The catalogue's entries, by who meets them first."""
