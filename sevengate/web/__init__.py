"""What Sevengate itself serves over HTTP."""
