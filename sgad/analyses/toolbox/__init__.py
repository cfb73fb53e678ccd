"""What several analyses share: the run that is looked at, yardsticks, findings."""
