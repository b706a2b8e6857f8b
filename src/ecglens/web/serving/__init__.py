"""The site as a server: connections, health, uploads under limits, a fair queue, and Django behind it in threads."""
