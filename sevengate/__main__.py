"""`python -m sevengate` is the command `sevengate`."""

from sevengate.cli import main

main(prog_name="sevengate")
