"""What results/experiments/E holds: collected tables of numbers, their origin, small pictures. Never imports torch."""
