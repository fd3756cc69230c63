"""Start the processes, by hand or from cron."""
