"""Running the site: the server, its workers, health, metrics, backup and restore."""
