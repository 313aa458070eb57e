"""The driver of the data plane: what nginx.conf says, what is pushed, and the process that serves."""
