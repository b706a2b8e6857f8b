"""Parts of the site that know no app: limits, headers, errors, logs, request metrics, keys, the database address."""
