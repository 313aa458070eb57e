"""What an Ingress asks for beside its rules: a table of rows, and the reader that makes Wishes of them."""
