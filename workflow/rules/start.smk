# After all rules: the key files of their jobs, and what happens when a run starts.
try:
    RUN.refresh_keys(job_files)
except USER_ERRORS as error:
    raise WorkflowError(str(explained(error))) from None


# Snakemake has a single `onstart`; a later one, in any file, replaces this one and has to call `start_run()`.
onstart:
    start_run()


start_with_main_workflow()
