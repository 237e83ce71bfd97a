"""How a run happens: configuration, scheduling, limits, retries, media, journal, report. Knows all other rooms."""
