"""What a run leaves on disk: its record, its seeds, its status and the lease on its folder."""
