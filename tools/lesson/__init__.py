"""The lesson of `make demo`: three ways into a cluster, in the lab, with real kubectl and real requests."""
