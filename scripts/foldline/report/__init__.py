"""The report page, its tables and figures."""
