"""One file a task; each defines ``TASK``. Data only: adding a task is adding a file."""
