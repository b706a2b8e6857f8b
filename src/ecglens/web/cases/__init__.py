"""Cases: readings of one person under a pseudonym, links to show them, and reviews by people."""
