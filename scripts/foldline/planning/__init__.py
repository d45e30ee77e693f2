"""What Snakemake needs before it builds the DAG: configuration, checks, data index, job keys, run lock."""
