"""Arrays and tables in, figures with intervals out; knows no model and no data set."""
