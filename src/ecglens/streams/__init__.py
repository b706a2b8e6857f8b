"""Live ECGs: packets of wearables and monitors become samples on one count, and results while they arrive."""
