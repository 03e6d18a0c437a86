"""Runtime packs on this computer: where they come from, how they get in, what is installed."""
