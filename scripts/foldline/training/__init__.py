"""Train one fold: loop, state, losses, schedules and checkpoints."""
