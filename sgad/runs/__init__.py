"""What a run leaves on disk: records, atomic files, seeds, locks and status. Needs neither torch nor pandas."""
